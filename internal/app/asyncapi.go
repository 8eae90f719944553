package app

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/api/asyncapi"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/protocol"
)

// AsyncAPI gives the AsyncAPI document of what a config's mirror sends. Neither database nor broker is needed, and no secret of
// the config is in it.
func AsyncAPI(ctx context.Context, file string, lookup config.Lookup) ([]byte, error) {
	cfg, faults := config.Load(file, lookup)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if !cfg.MirrorOn() {
		return nil, errNoMirror
	}
	m := cfg.Mirror
	o := asyncapi.Options{Title: "Events of the mirror " + m.Name.String(), Exchange: m.Exchange.String(), Native: m.History.Native(), Partitions: protocol.Partitions}
	if m.History.Enabled {
		o.History = m.History.Stream.String()
		if m.History.Only {
			o.Exchange = ""
		}
	}
	var err error
	if o.Servers, err = brokers(cfg); err != nil {
		return nil, err
	}
	if len(cfg.Services) > 0 {
		c, err := LoadContract(ctx, file, lookup)
		if err != nil {
			return nil, err
		}
		if o.Services, err = told(cfg, c.Contract); err != nil {
			return nil, err
		}
	}
	return asyncapi.Document(o)
}

// told says which services are told of which entities.
func told(cfg *config.Config, c *contract.Contract) (out []asyncapi.Service, err error) {
	for _, name := range cfg.ServiceNames() {
		s := asyncapi.Service{Name: name, Exchange: rabbitmq.ServiceExchange(name)}
		seen := map[string]bool{}
		for _, capability := range cfg.CapabilityNames() {
			of := cfg.Capabilities[capability]
			if of.Service != name || of.Entity == "" || seen[of.Entity] {
				continue
			}
			seen[of.Entity] = true
			md := c.Message(protoreflect.FullName(of.Entity))
			if md == nil {
				return nil, fmt.Errorf("capabilities.%s.entity: the contract has no message %s", capability, of.Entity)
			}
			s.Entities = append(s.Entities, md)
		}
		for _, entity := range slices.Sorted(maps.Keys(cfg.Services[name].Entities)) {
			if seen[entity] {
				continue
			}
			md := c.Message(protoreflect.FullName(entity))
			if md == nil {
				return nil, fmt.Errorf("services.%s.entities: the contract has no message %s", name, entity)
			}
			s.Entities = append(s.Entities, md)
		}
		out = append(out, s)
	}
	return out, nil
}

// brokers gives a config's brokers as consumers reach them, without accounts.
func brokers(cfg *config.Config) (out []asyncapi.Server, err error) {
	connection := brokerConnection(cfg, "events", nil)
	add := func(name string, native *rabbitmq.Native) error {
		at, err := rabbitmq.PlaceOf(connection, native)
		out = append(out, asyncapi.Server{Name: name, Host: at.Address, VHost: at.VHost, Protocol: at.Scheme})
		return err
	}
	if err := add("rabbitmq", nil); err != nil {
		return nil, err
	}
	if h := cfg.Mirror.History; h.Enabled && h.Native() {
		return out, add("streams", nativeHistory(cfg))
	}
	return out, nil
}
