package orders

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/examples/shop/shopv2"
)

// shop is the rest of the shop, which Banyan's facade stands for.
type shop struct {
	conn  *grpc.ClientConn
	limit time.Duration
}

// callConfig spreads calls over the facade's addresses, and tries one that could not be reached again at another.
const callConfig = `{"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{}], "retryPolicy":
	{"maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "0.5s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// dialShop makes the connection to the facade. It is made when it is needed.
func dialShop(addresses []string, limit time.Duration) (*shop, error) {
	state := resolver.State{}
	for _, a := range addresses {
		if a = strings.TrimSpace(a); a != "" {
			state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: a}}})
		}
	}
	if len(state.Endpoints) == 0 {
		return nil, fmt.Errorf("there is no address of Banyan's facade: customers and products are asked there")
	}
	list := manual.NewBuilderWithScheme("facade")
	list.InitialState(state)
	conn, err := grpc.NewClient("facade:///banyan", grpc.WithResolvers(list), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(callConfig))
	if err != nil {
		return nil, fmt.Errorf("the facade: %w", err)
	}
	return &shop{conn, limit}, nil
}

// customer gives a customer; nil when there is none.
func (s *shop) customer(ctx context.Context, id int64) (*shopv2.Customer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	c, err := shopv2.NewCustomerServiceClient(s.conn).GetCustomer(ctx, &shopv2.GetCustomerRequest{Id: id})
	if status.Code(err) == codes.NotFound {
		return nil, nil //nolint:nilnil // no customer is no error, see the comment
	}
	return c, unavailable("customers", err)
}

// mostAsked is how many products are asked for at once.
const mostAsked = 100

// products gives the products of lines by their folded article numbers. What the shop does not sell is left out.
func (s *shop) products(ctx context.Context, lines []*shopv2.OrderLine) (map[string]*shopv2.Product, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	found := map[string]*shopv2.Product{}
	var skus []string
	seen := map[string]bool{}
	for _, line := range lines {
		if sku := equal(line.GetSku()); sku != "" && !seen[sku] {
			seen[sku] = true
			skus = append(skus, line.GetSku())
		}
	}
	client := shopv2.NewProductServiceClient(s.conn)
	for len(skus) > 0 {
		n := min(len(skus), mostAsked)
		page, err := client.SearchProducts(ctx, &shopv2.SearchProductsRequest{Skus: skus[:n], PageSize: mostAsked})
		if err != nil {
			return nil, unavailable("products", err)
		}
		for _, p := range page.GetProducts() {
			found[equal(p.GetSku())] = p
		}
		skus = skus[n:]
	}
	return found, nil
}

// unavailable makes what the facade could not do one thing for the caller: nothing was done, and it may be tried again.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	return status.Errorf(codes.Unavailable, "the shop's %s can't be asked now (%s); nothing was done, try again", what, status.Code(err))
}
