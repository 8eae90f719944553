package upstream

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// listScheme is the scheme of a target that is a list of addresses.
const listScheme = "banyan-list"

// readTarget gives a target as gRPC takes it.
func readTarget(target string) (string, []grpc.DialOption, error) {
	target = strings.TrimSpace(target)
	if target == "" {
		return "", nil, errors.New("there is no target: give host:port, several with commas between, or dns:///host:port")
	}
	if strings.Contains(target, "://") || strings.HasPrefix(target, "unix:") {
		if strings.Contains(target, ",") {
			return "", nil, fmt.Errorf("the target %s is a list with a scheme: write a list as host:port,host:port", target)
		}
		if scheme, _, _ := strings.Cut(target, ":"); resolver.Get(scheme) == nil {
			return "", nil, fmt.Errorf("the target %s has the scheme %s, which gRPC doesn't know: give host:port, or dns:///host:port", target, scheme)
		}
		return target, nil, nil
	}
	var state resolver.State
	var addresses []string
	for address := range strings.SplitSeq(target, ",") {
		address = strings.TrimSpace(address)
		host, port, err := net.SplitHostPort(address)
		if err == nil && (host == "" || port == "") {
			err = errors.New("host or port is missing")
		}
		if err != nil {
			return "", nil, fmt.Errorf("the target has the address %q: write it as host:port: %w", address, err)
		}
		addresses = append(addresses, address)
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	if len(addresses) == 1 {
		return "dns:///" + addresses[0], nil, nil
	}
	list := manual.NewBuilderWithScheme(listScheme)
	list.InitialState(state)
	return listScheme + ":///" + addresses[0], []grpc.DialOption{grpc.WithResolvers(list)}, nil
}
