package rabbitmq

import "strings"

// Place is where a broker is, as everybody may know it: without an account.
type Place struct {
	// Scheme is amqp or amqps, or rabbitmq-stream or rabbitmq-stream+tls.
	Scheme string
	// Address is host:port.
	Address string
	VHost   string
}

// PlaceOf reads where a connection leads to; with native, where it leads by RabbitMQ's protocol for streams. Its error shows
// nothing of the URLs.
func PlaceOf(c Connection, native *Native) (Place, error) {
	if native == nil {
		uri, err := parseURL(c.URL)
		if err != nil {
			return Place{}, err
		}
		return Place{Scheme: uri.Scheme, Address: address(uri), VHost: uri.Vhost}, nil
	}
	uri, err := native.uri(&c)
	if err != nil {
		return Place{}, err
	}
	scheme := "rabbitmq-stream"
	if strings.HasSuffix(uri.Scheme, "s") {
		scheme += "+tls"
	}
	return Place{Scheme: scheme, Address: address(uri), VHost: uri.Vhost}, nil
}
