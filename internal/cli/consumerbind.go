package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/consumer/conformance"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
)

// bind fills in what config and contract say of a service.
func (f *conformanceFlags) bind(cfg *config.Config, c *contract.Contract, o *conformance.Options) error {
	services := cfg.ServiceNames()
	if o.Service = f.service; o.Service == "" {
		if len(services) != 1 {
			return usageError{fmt.Errorf("--service is missing: the config has the services %v", services)}
		}
		o.Service = services[0]
	}
	var capabilities []string
	for _, name := range cfg.CapabilityNames() {
		if cfg.Capabilities[name].Service == o.Service {
			capabilities = append(capabilities, name)
		}
	}
	if o.Capability = f.capability; o.Capability == "" {
		switch {
		case len(capabilities) == 1:
			o.Capability = capabilities[0]
		case len(capabilities) > 1:
			return usageError{fmt.Errorf("--capability is missing: the service %s has %v", o.Service, capabilities)}
		case len(cfg.Services[o.Service].Entities) == 0:
			return fmt.Errorf("%s has no capability of the service %q, and no entities that it is told of: the services there are %v", f.file, o.Service, services)
		case f.write != "":
			return usageError{fmt.Errorf("--write %s: the service %s has no capability, so no writes go there", f.write, o.Service)}
		}
	}
	if o.Capability != "" && !slices.Contains(capabilities, o.Capability) {
		return fmt.Errorf("the service %s has no capability %q: it has %v", o.Service, o.Capability, capabilities)
	}
	if o.Format = conformance.Format(f.format); o.Format == "" {
		o.Format = conformance.Format(cfg.Services[o.Service].Format)
	}
	is := cfg.Capabilities[o.Capability] // none of one without a name
	var operations []*contract.Operation
	for _, op := range c.Operations() {
		if slices.ContainsFunc(is.Operations, func(pattern string) bool {
			matches, err := path.Match(pattern, string(op.Name))
			return err == nil && matches
		}) {
			operations = append(operations, op)
		}
	}
	if err := f.entityOf(cfg, is, c, operations, o); err != nil {
		return err
	}
	if f.write == "" {
		return nil
	}
	op, err := operation(operations, "--write", f.write)
	if err != nil {
		return err
	}
	if op.Read {
		return usageError{fmt.Errorf("--write %s: that reads", f.write)}
	}
	if !json.Valid([]byte(f.request)) {
		return usageError{errors.New("--request is no JSON: put it into quotes, so that the shell leaves ${id} alone")}
	}
	o.Write = &conformance.Write{Method: op.Descriptor, Request: json.RawMessage(f.request)}
	return nil
}

// operation finds one by its full name or its last part.
func operation(all []*contract.Operation, flag, name string) (*contract.Operation, error) {
	var names []string
	for _, op := range all {
		if string(op.Name) == name || short(string(op.Name)) == name {
			return op, nil
		}
		names = append(names, short(string(op.Name)))
	}
	return nil, usageError{fmt.Errorf("%s %s: there is no such operation here; there are [%s]", flag, name, strings.Join(names, ", "))}
}

// entityOf finds the entity, its fields, and what reads it: an operation of its capability, or any where the service is only told of it.
func (f *conformanceFlags) entityOf(cfg *config.Config, is config.Capability, c *contract.Contract, operations []*contract.Operation, o *conformance.Options) error {
	told := cfg.Services[o.Service].Entities
	name := f.entity
	if name == "" {
		name = is.Entity
	}
	if name == "" {
		names := slices.Sorted(maps.Keys(told))
		if len(names) != 1 {
			return usageError{fmt.Errorf("--entity is missing: the capability has none, and the service %s is told of %v", o.Service, names)}
		}
		name = names[0]
	}
	e := &o.Entity
	if e.Message = c.Message(protoreflect.FullName(name)); e.Message == nil {
		return fmt.Errorf("the contract has no message %s", name)
	}
	key, flag := f.key, "--key"
	if key == "" && name == is.Entity {
		key, flag = strings.TrimSpace(is.Key), "the capability's key"
	} else if key == "" {
		key, flag = strings.TrimSpace(told[name].Key), "the key of services."+o.Service+".entities."+name
	}
	if e.ID = e.Message.Fields().ByName(protoreflect.Name(f.id)); e.ID == nil {
		return usageError{fmt.Errorf("--id %s: %s has no such field", f.id, name)}
	}
	if e.Key = e.Message.Fields().ByName(protoreflect.Name(key)); e.Key == nil {
		return usageError{fmt.Errorf("%s, %q, is no field of %s: name the field with --key", flag, key, name)}
	}
	if name != is.Entity {
		operations = c.Operations()
	}
	operations = slices.DeleteFunc(slices.Clone(operations), func(op *contract.Operation) bool { return op.Descriptor.Output() != e.Message })
	get := f.get
	if get == "" {
		get = "Get" + short(name)
	}
	op, err := operation(operations, "--get", get)
	if err != nil {
		return err
	}
	e.Get = op.Descriptor
	asks := e.Get.Input().Fields()
	for _, field := range []string{f.id, strings.ToLower(short(name)) + "_id"} {
		if fd := asks.ByName(protoreflect.Name(field)); fd != nil {
			e.AskID = fd
			return nil
		}
	}
	if asks.Len() == 0 {
		return fmt.Errorf("%s asks for nothing: name what reads one %s with --get", get, name)
	}
	e.AskID = asks.Get(0)
	return nil
}
