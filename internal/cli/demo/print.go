package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// print tells a person where everything is, and what to try.
func (r ready) print(w io.Writer, readyFile string) {
	fmt.Fprintf(w, `
The old shop is open, and Banyan serves it.

  REST      http://%s
  gRPC      %s
  admin     http://%s/metrics
  replica   http://%s, gRPC %s, admin http://%s: the second
  MariaDB   %s (an administrator; Banyan itself has what banyan grants prints)
  RabbitMQ  %s
  config    %s
`, r.REST, r.GRPC, r.Admin, r.Second, r.GRPCSecond, r.AdminSecond, r.LegacyDSN, r.AMQPURL, r.Config)
	if readyFile != "" {
		fmt.Fprintf(w, "  all of it in %s\n", readyFile)
	}
	fmt.Fprint(w, "\nTry (grpcurl may be `go tool grpcurl` in Banyan's directory):\n\n")
	for _, command := range r.commands() {
		fmt.Fprintf(w, "  %s\n", command)
	}
	fmt.Fprint(w, "\nEvery change is an event, the old shop's too:\n\n")
	for _, command := range r.watching() {
		fmt.Fprintf(w, "  %s\n", command)
	}
	fmt.Fprint(w, "\nA new order service runs beside, and clients place and read orders through two replicas. Move the orders to it, and back:\n\n")
	for _, command := range r.shifting() {
		fmt.Fprintf(w, "  %s\n", command)
	}
	fmt.Fprint(w, "\nTo try SQL of your own, edit a copy (the demo writes its files anew at each start), and serve it beside (a third replica, which takes part in shifts):\n\n")
	for _, command := range r.copying() {
		fmt.Fprintf(w, "  %s\n", command)
	}
	fmt.Fprint(w, "\nCtrl-C ends it all; the data stays.\n")
}

// commands are some to try: they work as they stand, on a shop of any size.
func (r ready) commands() []string {
	return []string{
		fmt.Sprintf("curl -s 'http://%s/v2/orders/1'", r.REST),
		fmt.Sprintf("curl -s 'http://%s/v1/orders/1'   # the same order for who still has the older API", r.REST),
		fmt.Sprintf("%s versions --admin %s   # and who that is", Quote(r.program), r.Admin),
		fmt.Sprintf("curl -s 'http://%s/v2/orders?page_size=3&order_by=create_time%%20desc'", r.REST),
		fmt.Sprintf(`curl -s 'http://%s/v2/orders:search' -H 'Content-Type: application/json' -d '{"country_code": "DE", "order_by": "grand_total desc", "page_size": 2}'`, r.REST),
		fmt.Sprintf("grpcurl -plaintext %s describe shop.v2.OrderService", r.GRPC),
		fmt.Sprintf(`grpcurl -plaintext -d '{"page_size": 2, "order_by": "price desc"}' %s shop.v2.ProductService/ListProducts`, r.GRPC),
	}
}

// watching are commands that show the mirror at work.
func (r ready) watching() []string {
	program, file := Quote(r.program), Quote(r.Config)
	return []string{
		program + " events tail -c " + file,
		program + " events replay -c " + file + " --from 1h orders",
		program + " status -c " + file,
		program + " backfill orders products -c " + file + "   # what was there before, beside the changes",
	}
}

// shifting are commands that move the orders to the new service and back. Each works once the one before is done; the
// first filling of the new service has to be done before shadow.
func (r ready) shifting() []string {
	program, at := Quote(r.program), " --admin "+r.Admin
	return []string{
		program + " advance orders --to mirrored" + at,
		program + " status orders" + at + "   # until the backfill is done",
		program + " advance orders --to shadow" + at,
		program + " advance orders --to live --percent 25" + at,
		program + " advance orders --to live" + at,
		program + " rollback orders --reason 'a drill'" + at,
		program + " history orders" + at,
		program + " backfill shop.v2.Order" + at + "   # tell the new service all orders again",
		program + " mirror fence orders" + at,
		program + " consumer status orders -c " + Quote(r.Config),
		program + " parked list orders -c " + Quote(r.Config) + "   # what it could not apply: nothing, it is hoped",
	}
}

// copying are commands that serve a copy of the demo's files against its database, on other addresses, as an administrator:
// other SQL needs other rights. The second writes
// the copy's banyan.yaml, and is what to repeat after another start, when the database's address is another.
func (r ready) copying() []string {
	project := Quote(filepath.Dir(r.Config))
	return []string{
		"cp -r " + project + " myshop",
		`sed -e '/^log:/d' -e ` + Quote("s|^  dsn:.*|  dsn: "+replacement(r.LegacyDSN)+"|") + ` -e 's/^listen:.*/listen: {rest: "127.0.0.1:8081", grpc: "127.0.0.1:9092", admin: "127.0.0.1:9093"}/' ` +
			Quote(r.Config) + " > myshop/banyan.yaml",
		Quote(r.program) + " serve -c myshop/banyan.yaml",
		"curl -s 'http://127.0.0.1:8081/v2/orders/1'   # in another terminal",
	}
}

// replacement writes a text as YAML, for the right side of sed's s.
func replacement(text string) string {
	quoted, err := json.Marshal(text) // JSON's strings are YAML's
	if err != nil {
		return "" // a string is always JSON
	}
	return strings.NewReplacer(`\`, `\\`, `&`, `\&`, `|`, `\|`).Replace(string(quoted))
}

// Quote writes a word for a shell, in quotes only where it needs them.
func Quote(path string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-"
	if path != "" && strings.Trim(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
