package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/internal/fault"
)

// capabilities checks what services and capabilities say of each other. What they say of the contract is checked once
// that is loaded.
func (v validator) capabilities() {
	s := v.c.Shift
	atLeast(v, "shift.hold_timeout", s.HoldTimeout, 100*time.Millisecond)
	atLeast(v, "shift.fence_timeout", s.FenceTimeout, time.Second)
	atLeast(v, "shift.grace", s.Grace, 0)
	atLeast(v, "shift.poll", s.Poll, time.Millisecond)
	atMost(v, "shift.poll", s.Poll, time.Second)
	atLeast(v, "shift.sweep_after", s.SweepAfter, leastSweepAfter)

	used := map[string]bool{}
	for _, name := range v.c.CapabilityNames() {
		path, c := "capabilities."+name, v.c.Capabilities[name]
		used[c.Service] = true
		if _, known := v.c.Services[c.Service]; !known && c.Service != "" {
			fix := "add it below services"
			if near := fault.Nearest(c.Service, slices.Collect(maps.Keys(v.c.Services))); near != "" {
				fix = "did you mean " + near + "?"
			}
			v.add(path+".service", fix, "%s.service: there is no service %s", path, c.Service)
		}
		if c.Entity == "" && c.Key != "" {
			v.add(path+".key", "name the message in "+path+".entity", "%s.key is about an entity, and there is none", path)
		}
		if c.Entity != "" && c.Key == "" {
			v.add(path+".entity", "give "+path+".key an expression over its fields, such as customer_id", "the key of %s is missing", c.Entity)
		}
	}
	if len(v.c.Capabilities) > 0 && !v.c.MirrorOn() {
		v.add("capabilities", "give broker.url, and leave mirror.enabled on", "capabilities need a mirror, by which new services learn of changes")
	}
	v.services(used)
}

// services checks what services say. used are those that capabilities name.
func (v validator) services(used map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(v.c.Services)) {
		path, s := "services."+name, v.c.Services[name]
		switch {
		case len(s.Entities) > 0 && !v.c.MirrorOn():
			v.add(path+".entities", "give broker.url, and leave mirror.enabled on", "%s is told of entities, which needs a mirror", path)
		case !used[name] && len(s.Entities) == 0:
			v.faults.Warn(v.c.Pos(path), "name it in a capability's service, name what it is told of in "+path+".entities, or remove it", "no capability moves to the service %s, and it is told of nothing", name)
		}
		if used[name] && s.Target == "" {
			v.add(path, "say where it listens, in "+path+".target", "%s.target is missing: a capability moves to it", path)
		}
		for _, at := range strings.Split(s.Target, ",") {
			if strings.Contains(at, ":///") || at == "" {
				continue
			}
			if err := new(Address).UnmarshalText([]byte(strings.TrimSpace(at))); err != nil {
				v.add(path+".target", err.Error(), "%s.target is no address", path)
			}
		}
	}
}

// leastSweepAfter is longer than a process can be at a live write: 10 s for the new service, 3 s behind its caller's back.
const leastSweepAfter = 14 * time.Second

// CapabilityNames gives the names of capabilities, in order.
func (c *Config) CapabilityNames() []string { return slices.Sorted(maps.Keys(c.Capabilities)) }

// ServiceNames gives the names of the services that capabilities move to, or that are told of entities, in order.
func (c *Config) ServiceNames() []string {
	names := map[string]bool{}
	for name, s := range c.Services {
		if len(s.Entities) > 0 {
			names[name] = true
		}
	}
	for _, capability := range c.Capabilities {
		names[capability.Service] = true
	}
	return slices.Sorted(maps.Keys(names))
}
