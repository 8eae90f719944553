package orders

import (
	"strings"
	"unicode/utf8"

	"banyan.dev/banyan/examples/shop/shopv2"
)

// cardMask is what the old shop puts before the last digits of a card that it doesn't know.
const cardMask = "xxxxxxxxxxxx"

// mostText is how many bytes the old shop's longest texts hold.
const mostText = 65_535

// limit is what one of the old shop's columns holds.
type limit struct {
	field   string // the request's, where the column takes it as it is; else empty
	text    string // as the old shop stores it
	letters int
}

// storable says whether the old shop can hold an order's texts: what it could not is refused here, because an order that can't
// be brought back to it could not be acknowledged. What is said is what it would say, in the order in which it looks.
func storable(o, wish *shopv2.Order) error {
	to := o.GetShippingAddress()
	named := []limit{
		{"order.shipping_address.recipient", to.GetRecipient(), 128},
		{"order.shipping_address.street", to.GetStreet(), 128},
		{"order.shipping_address.postal_code", to.GetPostalCode(), 10},
		{"order.shipping_address.city", to.GetCity(), 64},
	}
	for _, l := range named {
		if l.over() && strings.HasSuffix(l.text, " ") {
			return field(l.field, "is too long for the column, which would drop spaces at its end")
		}
	}
	limits := []limit{{"", o.GetEmail(), 96}}
	limits = append(limits, address(o.GetCustomerAddress())...)
	limits = append(limits, named[0], limit{"", escape(to.GetCompany()), 128}, named[1], named[2], named[3])
	limits = append(limits, address(o.GetBillingAddress())...)
	card := wish.GetPayment().GetCard()
	limits = append(limits, limit{"", wish.GetPayment().GetBankTransfer().GetReference(), 64}, limit{"", card.GetBrand(), 16},
		limit{"", card.GetHolder(), 64}, limit{"", cardMask + card.GetLastFour(), 32}, limit{"", escape(o.GetComment()), mostText})
	for _, l := range limits {
		if err := l.check(); err != nil {
			return err
		}
	}
	return nil
}

// address gives the limits of an address that is no part of the request as it is.
func address(a *shopv2.Address) []limit {
	return []limit{
		{"", a.GetRecipient(), 128}, {"", escape(a.GetCompany()), 128}, {"", a.GetStreet(), 128}, {"", a.GetPostalCode(), 10}, {"", a.GetCity(), 64},
	}
}

func (l limit) over() bool { return utf8.RuneCountInString(l.text) > l.letters }

func (l limit) check() error {
	switch {
	case !holdable(l.text):
		return invalid("VALUE_NOT_STORABLE", l.field, notStorable)
	case l.over():
		return invalid("VALUE_TOO_LONG", l.field, tooLong)
	default:
		return nil
	}
}
