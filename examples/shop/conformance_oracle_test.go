package shop_test

import (
	"fmt"

	"banyan.dev/banyan/examples/shop/shopv1"
	"banyan.dev/banyan/examples/shop/shopv2"
)

// customerOf says by hand what a customer of shop.v2 is in shop.v1.
func customerOf(c *shopv2.Customer) *shopv1.Customer {
	out := &shopv1.Customer{
		Id: int32(c.GetId()), Login: c.GetEmail(), FirstName: c.GetGivenName(), LastName: c.GetFamilyName(), Company: c.GetCompany(), Phone: c.GetPhone(),
		Newsletter: c.GetNewsletter(), Locked: c.GetBlocked(), Since: c.GetCreateTime().GetSeconds(),
		Street: c.GetAddress().GetStreet(), Zip: c.GetAddress().GetPostalCode(), City: c.GetAddress().GetCity(), Country: c.GetAddress().GetCountryCode(),
		Title: map[shopv2.Salutation]shopv1.Customer_Title{
			shopv2.Salutation_SALUTATION_MR: shopv1.Customer_TITLE_MR, shopv2.Salutation_SALUTATION_MS: shopv1.Customer_TITLE_MS,
			shopv2.Salutation_SALUTATION_COMPANY: shopv1.Customer_TITLE_COMPANY,
		}[c.GetSalutation()],
		Kind: map[shopv2.CustomerGroup]shopv1.Customer_Kind{
			shopv2.CustomerGroup_CUSTOMER_GROUP_RETAIL: shopv1.Customer_KIND_PRIVATE, shopv2.CustomerGroup_CUSTOMER_GROUP_STAFF: shopv1.Customer_KIND_PRIVATE,
			shopv2.CustomerGroup_CUSTOMER_GROUP_TRADE: shopv1.Customer_KIND_TRADE, shopv2.CustomerGroup_CUSTOMER_GROUP_RESELLER: shopv1.Customer_KIND_TRADE,
		}[c.GetGroup()],
	}
	if d := c.GetBirthDate(); d != nil {
		out.Birthday = fmt.Sprintf("%d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
	}
	for _, a := range c.GetOtherAddresses() {
		out.OtherAddresses = append(out.OtherAddresses, postal(a))
	}
	return out
}

func postal(a *shopv2.Address) *shopv1.PostalAddress {
	return &shopv1.PostalAddress{Name: a.GetRecipient(), Street: a.GetStreet(), Zip: a.GetPostalCode(), City: a.GetCity(), Country: a.GetCountryCode()}
}

// statusOf says by hand what a state is in shop.v1.
func statusOf(s shopv2.OrderState) shopv1.OrderStatus {
	switch s {
	case shopv2.OrderState_ORDER_STATE_PENDING, shopv2.OrderState_ORDER_STATE_PROCESSING:
		return shopv1.OrderStatus_ORDER_STATUS_OPEN
	case shopv2.OrderState_ORDER_STATE_SHIPPED, shopv2.OrderState_ORDER_STATE_DELIVERED:
		return shopv1.OrderStatus_ORDER_STATUS_SENT
	case shopv2.OrderState_ORDER_STATE_CANCELLED, shopv2.OrderState_ORDER_STATE_RETURNED:
		return shopv1.OrderStatus_ORDER_STATUS_CANCELLED
	default:
		return shopv1.OrderStatus_ORDER_STATUS_UNSPECIFIED
	}
}

// orderOf says by hand what an order of shop.v2 is in shop.v1.
func orderOf(o *shopv2.Order) *shopv1.Order {
	out := &shopv1.Order{
		Id: int32(o.GetId()), Customer: int32(o.GetCustomerId()), Email: o.GetEmail(), Status: statusOf(o.GetState()),
		ShipName: o.GetShippingAddress().GetRecipient(), ShipStreet: o.GetShippingAddress().GetStreet(), ShipZip: o.GetShippingAddress().GetPostalCode(),
		ShipCity: o.GetShippingAddress().GetCity(), ShipCountry: o.GetShippingAddress().GetCountryCode(),
		Shipping: shopv1.Shipping(o.GetShippingMethod()), Currency: o.GetCurrencyCode(), Gift: o.GetGift(), Remark: o.GetComment(),
		TotalCents: o.GetGrandTotal().GetUnits()*100 + int64(o.GetGrandTotal().GetNanos()/10_000_000),
		PlacedAt:   o.GetCreateTime().GetSeconds(), SentAt: o.GetShipTime().GetSeconds(),
	}
	if o.GetBillingAddress() != nil {
		out.InvoiceAddress = postal(o.GetBillingAddress())
	}
	switch p := o.GetPayment().GetMethod().(type) {
	case *shopv2.Payment_Card:
		out.Payment = &shopv1.Payment{Method: &shopv1.Payment_Card{Card: &shopv1.CardPayment{Brand: p.Card.GetBrand(), Holder: p.Card.GetHolder(), LastFour: p.Card.GetLastFour()}}}
	case *shopv2.Payment_BankTransfer:
		out.Payment = &shopv1.Payment{Method: &shopv1.Payment_BankTransfer{BankTransfer: &shopv1.BankTransfer{Reference: p.BankTransfer.GetReference()}}}
	case *shopv2.Payment_Invoice:
		out.Payment = &shopv1.Payment{Method: &shopv1.Payment_Invoice{Invoice: &shopv1.InvoicePayment{DueDays: p.Invoice.GetDueDays()}}}
	}
	for _, l := range o.GetLines() {
		out.Items = append(out.Items, &shopv1.Item{
			Article: l.GetSku(), Name: l.GetDisplayName(), Count: l.GetQuantity(),
			PriceCents: l.GetUnitPrice().GetUnits()*100 + int64(l.GetUnitPrice().GetNanos()/10_000_000),
		})
	}
	return out
}
