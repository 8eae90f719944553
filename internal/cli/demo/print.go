package demo

import (
	"fmt"
	"io"
)

// print tells a person where everything is, and what to try.
func (r ready) print(w io.Writer, readyFile string) {
	fmt.Fprintf(w, `
The old shop is open, and Banyan serves it.

  REST      http://%s
  gRPC      %s
  admin     http://%s/metrics
  MariaDB   %s
  RabbitMQ  %s
  config    %s
`, r.REST, r.GRPC, r.Admin, r.LegacyDSN, r.AMQPURL, r.Config)
	if readyFile != "" {
		fmt.Fprintf(w, "  all of it in %s\n", readyFile)
	}
	fmt.Fprint(w, "\nTry (grpcurl may be `go tool grpcurl` in Banyan's directory):\n\n")
	for _, command := range r.commands() {
		fmt.Fprintf(w, "  %s\n", command)
	}
	fmt.Fprint(w, "\nCtrl-C ends it all; the data stays.\n")
}

// commands are five to try: they work as they stand, on a shop of any size.
func (r ready) commands() []string {
	return []string{
		fmt.Sprintf("curl -s 'http://%s/v2/orders/1'", r.REST),
		fmt.Sprintf("curl -s 'http://%s/v2/orders?page_size=3&order_by=create_time%%20desc'", r.REST),
		fmt.Sprintf(`curl -s 'http://%s/v2/orders:search' -H 'Content-Type: application/json' -d '{"country_code": "DE", "order_by": "grand_total desc", "page_size": 2}'`, r.REST),
		fmt.Sprintf("grpcurl -plaintext %s describe shop.v2.OrderService", r.GRPC),
		fmt.Sprintf(`grpcurl -plaintext -d '{"page_size": 2, "order_by": "price desc"}' %s shop.v2.ProductService/ListProducts`, r.GRPC),
	}
}
