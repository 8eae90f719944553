package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
)

// capability is one of the config's, bound to the contract.
type capability struct {
	name, service string
	operations    []*contract.Operation
	// entity and key are nil where the config names no entity.
	entity protoreflect.MessageDescriptor
	key    *expression.Key
	// keys are over requests; operations without one take their key from SQL, if there is any.
	keys map[*contract.Operation]*expression.Key
	// sources are the expressions as the config has them: of the key by "", of operations' keys by their full names.
	sources map[protoreflect.FullName]string
}

// digest is the same for processes that route the capability's calls alike.
func (c *capability) digest() string {
	lines := []string{"banyan capability 1", "service " + c.service}
	if c.entity != nil {
		lines = append(lines, "entity "+string(c.entity.FullName()))
	}
	var parts []string
	for _, op := range c.operations {
		parts = append(parts, fmt.Sprintf("operation %s read=%t", op.Name, op.Read))
	}
	for of, source := range c.sources {
		parts = append(parts, fmt.Sprintf("key %s %q", of, strings.TrimSpace(source)))
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(append(lines, parts...), "\n")))
	return hex.EncodeToString(sum[:16])
}

// capabilityBinder binds the config's capabilities to the contract.
type capabilityBinder struct {
	cfg      *config.Config
	contract *contract.Contract
	versions *versions.Versions
	compiler *expression.Compiler
	taken    map[*contract.Operation]string // by which capability
	faults   fault.List
}

// bindCapabilities binds them, and what services are told of, and reports all that is wrong with them.
func bindCapabilities(cfg *config.Config, c *contract.Contract, older *versions.Versions) ([]*capability, toldEntities, fault.List) {
	b := &capabilityBinder{cfg: cfg, contract: c, versions: older, taken: map[*contract.Operation]string{}}
	entities := map[string]bool{} // that are named
	for _, conf := range cfg.Capabilities {
		entities[conf.Entity] = true
	}
	for _, conf := range cfg.Services {
		for name := range conf.Entities {
			entities[name] = true
		}
	}
	if len(entities) == 0 {
		return nil, nil, b.faults
	}
	var files []protoreflect.FileDescriptor
	for _, op := range c.Operations() {
		files = append(files, op.Descriptor.ParentFile())
	}
	for name := range entities {
		if md := c.Message(protoreflect.FullName(name)); md != nil {
			files = append(files, md.ParentFile())
		}
	}
	var err error
	if b.compiler, err = expression.NewCompiler(files); err != nil {
		b.faults.Add(cfg.Pos("capabilities"), "", "the contract can't be used in CEL: %v", err)
		return nil, nil, b.faults
	}
	var out []*capability
	for _, name := range cfg.CapabilityNames() {
		out = append(out, b.capability(name))
	}
	return out, b.toldEntities(out), b.faults
}

func (b *capabilityBinder) capability(name string) *capability {
	conf, at := b.cfg.Capabilities[name], "capabilities."+name
	c := &capability{name: name, service: conf.Service, keys: map[*contract.Operation]*expression.Key{}, sources: map[protoreflect.FullName]string{}}
	for i, pattern := range conf.Operations {
		b.take(c, config.Indexed(at+".operations", i), pattern)
	}
	if conf.Entity != "" {
		if c.entity = b.contract.Message(protoreflect.FullName(conf.Entity)); c.entity == nil {
			b.faults.Add(b.cfg.Pos(at+".entity"), "write its full name, such as shop.v2.Order", "the contract has no message %s", conf.Entity)
		} else if conf.Key != "" {
			c.key, c.sources[""] = b.expression(at+".key", c.entity, conf.Key, b.compiler.CompileKey, ""), conf.Key
		}
	}
	for _, short := range slices.Sorted(maps.Keys(conf.Keys)) {
		b.keyOf(c, at+".keys."+short, short, conf.Keys[short])
	}
	return c
}

// take adds the operations that match a pattern.
func (b *capabilityBinder) take(c *capability, at, pattern string) {
	matched := false
	for _, op := range b.contract.Operations() {
		if ok, err := path.Match(pattern, string(op.Name)); err != nil || !ok {
			continue
		}
		matched = true
		if newer := b.versions.Translated(op); newer != nil {
			b.faults.Add(b.cfg.Pos(at), "leave it out, and name that one", "%s is a translation of %s, and moves with it", op.Name, newer.Name)
			continue
		}
		if other, taken := b.taken[op]; taken {
			if other != c.name {
				b.faults.Add(b.cfg.Pos(at), "leave it in one of them: an operation has one flag", "%s is part of the capability %s already", op.Name, other)
			}
			continue
		}
		b.taken[op] = c.name
		c.operations = append(c.operations, op)
		if op.ServerStreaming && !op.Read {
			b.faults.Add(b.cfg.Pos(at), "leave it out of the capability, or declare it as a read (idempotency_level = NO_SIDE_EFFECTS)",
				"%s writes and answers with a stream, which can't be brought back to legacy in one step", op.Name)
		}
	}
	if !matched {
		b.faults.Add(b.cfg.Pos(at), "write package.Service.Method, or package.Service.* for all of a service", "the contract has no operation %s", pattern)
	}
}

// keyOf compiles the key of one operation, which is named in short or in full.
func (b *capabilityBinder) keyOf(c *capability, at, short, src string) {
	i := slices.IndexFunc(c.operations, func(op *contract.Operation) bool {
		return string(op.Name) == short || string(op.Descriptor.Name()) == short
	})
	if i < 0 {
		names := make([]string, len(c.operations))
		for i, op := range c.operations {
			names[i] = string(op.Descriptor.Name())
		}
		fix := "its operations are " + strings.Join(names, ", ")
		if near := fault.Nearest(short, names); near != "" {
			fix = "did you mean " + near + "?"
		}
		b.faults.Add(b.cfg.Pos(at), fix, "%s has no operation %s", c.name, short)
		return
	}
	if key := b.expression(at, c.operations[i].Input, src, b.compiler.CompileRequestKey, ", claims and headers"); key != nil {
		c.keys[c.operations[i]], c.sources[c.operations[i].Name] = key, src
	}
}

func (b *capabilityBinder) expression(at string, md protoreflect.MessageDescriptor, src string,
	compile func(protoreflect.MessageDescriptor, string) (*expression.Key, *cel.Issues, error), besides string,
) *expression.Key {
	key, issues, err := compile(md, src)
	fix := "write a CEL expression over the fields of " + string(md.FullName()) + besides
	switch {
	case issues != nil:
		b.faults.Add(b.cfg.Pos(at), fix, "%s: %s", at, firstIssue(issues))
	case err != nil:
		b.faults.Add(b.cfg.Pos(at), fix, "%s: %v", at, err)
	}
	return key
}

// firstIssue gives what CEL says first, without its picture of the place.
func firstIssue(issues *cel.Issues) string {
	all := slices.SortedFunc(slices.Values(issues.Errors()), func(a, b *cel.Error) int {
		return cmp.Compare(a.Location.Column(), b.Location.Column())
	})
	return all[0].Message
}
