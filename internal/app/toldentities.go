package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/entities"
)

// toldEntity is an entity that a service is told of, as the config has it: by itself, or as a capability's.
type toldEntity struct {
	message protoreflect.MessageDescriptor
	key     *expression.Key
	// source is the key's expression, and at the config's key that has it.
	source, at string
}

// toldEntities are those of each service, by the message's name.
type toldEntities map[string]map[protoreflect.FullName]toldEntity

// add adds one. An entity has one key for a service: events about it are kept in order by it.
func (t toldEntities) add(service string, e toldEntity, report func(at, fix, format string, args ...any)) {
	of := t[service]
	if of == nil {
		of = map[protoreflect.FullName]toldEntity{}
		t[service] = of
	}
	name := e.message.FullName()
	before, again := of[name]
	if !again {
		of[name] = e
		return
	}
	if strings.TrimSpace(before.source) != strings.TrimSpace(e.source) {
		report(e.at, "write the same expression in both", "the service %s is told of %s by the key %s here, and by %s in %s", service, name, e.source, before.source, before.at)
	}
}

// toldEntities binds what services are told of. The capabilities are bound.
func (b *capabilityBinder) toldEntities(capabilities []*capability) toldEntities {
	all := toldEntities{}
	report := func(at, fix, format string, args ...any) { b.faults.Add(b.cfg.Pos(at), fix, format, args...) }
	for _, c := range capabilities {
		if c.entity != nil && c.key != nil {
			all.add(c.service, toldEntity{c.entity, c.key, c.sources[""], "capabilities." + c.name + ".key"}, report)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(b.cfg.Services)) {
		of := b.cfg.Services[service].Entities
		for _, name := range slices.Sorted(maps.Keys(of)) {
			at := "services." + service + ".entities." + name
			md := b.contract.Message(protoreflect.FullName(name))
			if md == nil {
				report(at, "write its full name, such as shop.v2.Order", "the contract has no message %s", name)
				continue
			}
			if src := of[name].Key; src != "" {
				if key := b.expression(at+".key", md, src, b.compiler.CompileKey, ""); key != nil {
					all.add(service, toldEntity{md, key, src, at + ".key"}, report)
				}
			}
		}
	}
	return all
}

// checkToldEntities finds entities of services that SQL has no event for. Those of capabilities may do without: such a
// capability can't be live, and is told so there.
func (p *Project) checkToldEntities() (faults fault.List) {
	for _, service := range slices.Sorted(maps.Keys(p.Config.Services)) {
		for _, name := range slices.Sorted(maps.Keys(p.Config.Services[service].Entities)) {
			full := protoreflect.FullName(name)
			if p.Contract.Message(full) != nil && p.Program.Event(full) == nil {
				faults.Add(p.Config.Pos("services."+service+".entities."+name), "write one, as docs/sql.md says", "no `-- event: %s` in SQL says which rows are part of one", name)
			}
		}
	}
	return faults
}

// told gives the entities that services are told of.
func (p *Project) told() (out []protoreflect.FullName) {
	for _, service := range slices.Sorted(maps.Keys(p.entities)) {
		for _, name := range slices.Sorted(maps.Keys(p.entities[service])) {
			if p.event(name) != nil && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// entitiesOf gives the entities that a service is told of.
func (p *Project) entitiesOf(service string) map[protoreflect.FullName]entities.Entity {
	out := map[protoreflect.FullName]entities.Entity{}
	for name, told := range p.entities[service] {
		event := p.event(name)
		if event == nil {
			continue
		}
		out[name] = entities.Entity{Event: event, Key: func(m protoreflect.Message) (string, error) {
			key, ok, err := told.key.Of(m)
			if err == nil && !ok {
				err = fmt.Errorf("the key is empty")
			}
			return key, err
		}}
	}
	return out
}

// onlyTold gives the entities that a service is told of, and that no capability of it has.
func (p *Project) onlyTold(service string) map[string]bool {
	out := map[string]bool{}
	for name := range p.entities[service] {
		out[string(name)] = true
	}
	for _, c := range p.capabilities {
		if c.service == service && c.entity != nil {
			delete(out, string(c.entity.FullName()))
		}
	}
	return out
}

// event gives the SQL event of an entity; nil when there is none.
func (p *Project) event(entity protoreflect.FullName) *legacy.Event {
	if p.Program == nil {
		return nil
	}
	return p.Program.Event(entity)
}
