package orders

import (
	"context"
	"database/sql"
	"math/big"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/examples/shop/shopv2"
)

// PlaceOrder takes an order. The same write of Banyan's is taken once, and has the same reply however often it is asked for.
func (s *Service) PlaceOrder(ctx context.Context, in *shopv2.PlaceOrderRequest) (*shopv2.Order, error) {
	tag, err := consumer.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	reply := &shopv2.Order{}
	done, replayed, err := s.store.Turn(ctx, s.capability, tag, reply)
	if err != nil {
		return nil, s.seen(ctx, err)
	}
	defer done()
	if replayed {
		return reply, nil
	}
	order, err := s.draft(ctx, in.GetOrder())
	if err != nil {
		return nil, s.seen(ctx, err)
	}
	_, err = s.store.Write(ctx, s.capability, tag, reply, func(tx *sql.Tx) ([]consumer.EntityRef, error) {
		id, err := nextID(ctx, tx)
		if err != nil {
			return nil, err
		}
		order.Id = id
		proto.Merge(reply, order)
		return refs(order), save(ctx, tx, order)
	})
	if err != nil {
		return nil, s.seen(ctx, err)
	}
	return reply, nil
}

// refs names an order as events about it do: its key is its customer.
func refs(o *shopv2.Order) []consumer.EntityRef {
	return []consumer.EntityRef{{Entity: orderName, ID: strconv.FormatInt(o.GetId(), 10), Key: strconv.FormatInt(o.GetCustomerId(), 10)}}
}

// draft makes the order that a wish becomes, without an id, or says why it can't be taken. What is wrong first is said, in
// the old shop's order.
func (s *Service) draft(ctx context.Context, wish *shopv2.Order) (*shopv2.Order, error) {
	o := &shopv2.Order{
		CustomerId: wish.GetCustomerId(), State: shopv2.OrderState_ORDER_STATE_PENDING, ShippingMethod: wish.GetShippingMethod(),
		Gift: wish.GetGift(), Comment: wish.GetComment(), Payment: payment(wish.GetPayment()),
	}
	if err := s.forCustomer(ctx, o, wish); err != nil {
		return nil, err
	}
	if err := s.addresses(o, wish); err != nil {
		return nil, err
	}
	currency, rate, known := s.config.currency(wish.GetCurrencyCode())
	if !known {
		return nil, fail(invalidArgument, "UNKNOWN_CURRENCY", "order.currency_code: the shop does not sell in %s; leave it empty for its own currency", printable(wish.GetCurrencyCode()))
	}
	o.CurrencyCode, o.ExchangeRate = currency, formatDecimal(rate, rateDecimals)
	if _, known := shopv2.ShippingMethod_name[int32(wish.GetShippingMethod())]; !known {
		return nil, field("order.shipping_method", "must be a value of shop.v2.ShippingMethod; %d is none", int32(wish.GetShippingMethod()))
	}
	fee, known := s.config.fee(wish.GetShippingMethod(), o.GetShippingAddress().GetCountryCode())
	if !known {
		return nil, fail(invalidArgument, "UNKNOWN_SHIPPING_METHOD", "order.shipping_method: say how the parcel shall go")
	}
	if err := s.lines(ctx, o, wish, rate); err != nil {
		return nil, err
	}
	if err := storable(o, wish); err != nil {
		return nil, err
	}
	now := s.now()
	o.CreateTime, o.History = now, []*shopv2.OrderEvent{{State: o.GetState(), CreateTime: now}}
	return o, total(o, fee, rate)
}

// forCustomer asks who orders.
func (s *Service) forCustomer(ctx context.Context, o, wish *shopv2.Order) error {
	unknown := func() error {
		id := ""
		if wish != nil {
			id = strconv.FormatInt(wish.GetCustomerId(), 10)
		}
		return fail(invalidArgument, "UNKNOWN_CUSTOMER", "order.customer_id: there is no customer %s; CreateCustomer opens an account", id)
	}
	if wish.GetCustomerId() <= 0 {
		return unknown()
	}
	customer, err := s.shop.customer(ctx, wish.GetCustomerId())
	switch {
	case err != nil:
		return err
	case customer == nil:
		return unknown()
	case customer.GetBlocked():
		return fail(codes.FailedPrecondition, "CUSTOMER_BLOCKED", "customer %d is barred from ordering; UpdateCustomer can change that", wish.GetCustomerId())
	}
	if o.Email = wish.GetEmail(); equal(o.GetEmail()) == "" {
		o.Email = customer.GetEmail()
	}
	at := customer.GetAddress()
	o.CustomerAddress = &shopv2.Address{
		Recipient: customer.GetGivenName() + " " + customer.GetFamilyName(), Company: customer.GetCompany(),
		Street: at.GetStreet(), PostalCode: at.GetPostalCode(), City: at.GetCity(), CountryCode: at.GetCountryCode(),
	}
	return nil
}

// addresses settles where parcel and invoice go.
func (s *Service) addresses(o, wish *shopv2.Order) error {
	to := wish.GetShippingAddress()
	country, known := s.config.country(to.GetCountryCode())
	if !known {
		return fail(invalidArgument, "UNKNOWN_COUNTRY", "order.shipping_address.country_code: '%s' is no country that the shop delivers to", printable(to.GetCountryCode()))
	}
	o.ShippingAddress = proto.CloneOf(to)
	o.ShippingAddress.CountryCode = country
	o.BillingAddress = proto.CloneOf(o.GetShippingAddress())
	if payer := wish.GetBillingAddress(); payer != nil {
		country, known := s.config.country(payer.GetCountryCode())
		if !known {
			return fail(invalidArgument, "UNKNOWN_COUNTRY", "order.billing_address.country_code: '%s' is no country that the shop knows", printable(payer.GetCountryCode()))
		}
		o.BillingAddress = proto.CloneOf(payer)
		o.BillingAddress.CountryCode = country
	}
	return nil
}

// payment gives how an order is paid as the old shop shows it. Of a card it shows the last four places, whatever was given.
func payment(p *shopv2.Payment) *shopv2.Payment {
	switch method := p.GetMethod().(type) {
	case *shopv2.Payment_Card:
		card := proto.CloneOf(method.Card)
		number := []rune(cardMask + card.GetLastFour())
		card.LastFour = string(number[len(number)-4:])
		return &shopv2.Payment{Method: &shopv2.Payment_Card{Card: card}}
	case *shopv2.Payment_BankTransfer:
		return &shopv2.Payment{Method: &shopv2.Payment_BankTransfer{BankTransfer: proto.CloneOf(method.BankTransfer)}}
	case *shopv2.Payment_Invoice:
		if method.Invoice.GetDueDays() > 0 {
			return &shopv2.Payment{Method: &shopv2.Payment_Invoice{Invoice: proto.CloneOf(method.Invoice)}}
		}
	}
	return nil
}

// lines asks the catalogue for what is ordered.
func (s *Service) lines(ctx context.Context, o, wish *shopv2.Order, rate int64) error {
	for _, line := range wish.GetLines() {
		if !holdable(line.GetSku()) {
			return invalid("VALUE_NOT_STORABLE", "", notStorable)
		}
	}
	products, err := s.shop.products(ctx, wish.GetLines())
	if err != nil {
		return err
	}
	for _, line := range wish.GetLines() {
		p := products[equal(line.GetSku())]
		if p == nil || !p.GetBuyable() {
			return fail(codes.FailedPrecondition, "NOT_BUYABLE", "%s can't be bought; GetProduct tells why", printable(line.GetSku()))
		}
		price, ok := amount(p.GetPrice())
		if !ok || p.GetPrice().GetCurrencyCode() != s.config.Currency {
			return fail(codes.Internal, "PRICE_UNKNOWN", "the price of %s can't be told; the shop's configuration and its catalogue differ", printable(line.GetSku()))
		}
		if price, ok = exchange(price, rate); !ok {
			return invalid("VALUE_OUT_OF_RANGE", "", "is out of range; give one within range")
		}
		o.Lines = append(o.Lines, &shopv2.OrderLine{
			Sku: p.GetSku(), ProductId: p.GetId(), DisplayName: p.GetDisplayName(), Quantity: line.GetQuantity(),
			UnitPrice: moneyOf(price, o.GetCurrencyCode()), TaxPercent: formatDecimal(s.config.taxOf(p), amountDecimals),
		})
	}
	if len(o.GetLines()) == 0 {
		return fail(invalidArgument, "EMPTY_ORDER", "order.lines: an order needs at least one line")
	}
	for _, line := range wish.GetLines() {
		p := products[equal(line.GetSku())]
		if line.GetQuantity() <= 0 || line.GetQuantity() > p.GetAvailableQuantity() {
			return fail(codes.FailedPrecondition, "OUT_OF_STOCK", "%s: %d can't be delivered; order at least one and at most GetProduct's available_quantity", printable(line.GetSku()), line.GetQuantity())
		}
		p.AvailableQuantity -= line.GetQuantity()
	}
	return nil
}

// total makes the sums at the foot of the invoice. The tax is what the lines' prices contain.
func total(o *shopv2.Order, fee, rate int64) error {
	sub, tax := new(big.Int), new(big.Rat)
	for _, line := range o.GetLines() {
		price, _ := amount(line.GetUnitPrice())
		percent, err := parseDecimal(line.GetTaxPercent().GetValue(), amountDecimals)
		if err != nil {
			return err
		}
		worth := new(big.Int).Mul(big.NewInt(price), big.NewInt(int64(line.GetQuantity())))
		sub.Add(sub, worth)
		tax.Add(tax, new(big.Rat).SetFrac(new(big.Int).Mul(worth, big.NewInt(percent)), big.NewInt(100*amountUnit+percent)))
	}
	shipping, ok := exchange(fee, rate)
	contained, fits := cents(tax)
	sum := new(big.Int).Add(sub, big.NewInt(shipping))
	if !ok || !fits || sum.Cmp(big.NewInt(mostAmount)) > 0 {
		return invalid("VALUE_OUT_OF_RANGE", "", "is out of range; give one within range")
	}
	for _, t := range []struct {
		kind shopv2.OrderTotal_Kind
		n    int64
	}{
		{shopv2.OrderTotal_KIND_SUBTOTAL, sub.Int64()},
		{shopv2.OrderTotal_KIND_SHIPPING, shipping},
		{shopv2.OrderTotal_KIND_TAX, contained},
		{shopv2.OrderTotal_KIND_GRAND_TOTAL, sum.Int64()},
	} {
		o.Totals = append(o.Totals, &shopv2.OrderTotal{Kind: t.kind, Amount: moneyOf(t.n, o.GetCurrencyCode())})
	}
	o.GrandTotal = moneyOf(sum.Int64(), o.GetCurrencyCode())
	return nil
}

// printable gives a value of the request as a message may have it.
func printable(s string) string {
	const most = 100
	runes := []rune(strings.ToValidUTF8(s, "\uFFFD"))
	if len(runes) > most {
		return printable(string(runes[:most])) + "…"
	}
	for i, c := range runes {
		if !strconv.IsPrint(c) {
			runes[i] = '\uFFFD'
		}
	}
	return string(runes)
}
