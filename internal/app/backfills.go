package app

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/api/admin"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler/backfill"
)

// desk takes backfills that people ask for; nil in a process without a mirror.
func (a *App) desk(m *mirroring, conns *pool.Pool) admin.Backfills {
	if m.book == nil {
		return nil
	}
	p := a.project
	tables := newScope(p.Config)
	return &backfill.Desk{
		Book: m.book, Mirror: p.Config.Mirror.Name.String(), Schema: tables.schema, FoldCase: func() bool { return p.lower },
		Tables: func(ctx context.Context) (all [][2]string, err error) {
			names, err := readNames(ctx, conns, tables.tables, false)
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				if p.lower { // some servers tell names as they were written all the same
					n[0], n[1] = strings.ToLower(n[0]), strings.ToLower(n[1])
				}
				if tables.has(n[0], n[1]) {
					all = append(all, [2]string{n[0], n[1]})
				}
			}
			slices.SortFunc(all, func(a, b [2]string) int { return strings.Compare(a[0]+"."+a[1], b[0]+"."+b[1]) })
			return all, nil
		},
		Services: p.servicesOf,
	}
}

// servicesOf gives the streams of the services that are told of an entity, by the services' names.
func (p *Project) servicesOf(entity string) map[string]string {
	out := map[string]string{}
	for _, service := range p.Config.ServiceNames() {
		if _, told := p.entitiesOf(service)[protoreflect.FullName(entity)]; told {
			out[service] = serviceMirror(service)
		}
	}
	return out
}

// capabilityOf gives the capability whose entity a service is told of; nil where it is told of one without.
func (p *Project) capabilityOf(service string, entity protoreflect.FullName) *capability {
	for _, c := range p.capabilities {
		if event := p.eventOf(c); c.service == service && event != nil && event.Entity.FullName() == entity {
			return c
		}
	}
	return nil
}
