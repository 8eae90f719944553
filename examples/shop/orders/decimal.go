package orders

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/type/decimal"
	"google.golang.org/genproto/googleapis/type/money"
)

// Amounts have 4 decimals, as the old shop's DECIMAL(15,4), and rates 6, as its DECIMAL(14,6). Both are counted as integers
// of the last decimal.
const (
	amountDecimals, rateDecimals = 4, 6
	amountUnit, rateUnit         = 10_000, 1_000_000
	cent                         = amountUnit / 100
	// mostAmount is the greatest amount that the old shop holds.
	mostAmount = 999_999_999_999_999
)

var errDecimal = errors.New("is no decimal such as 12.50, or has too many digits")

// parseDecimal reads a decimal text with at most so many decimals.
func parseDecimal(text string, decimals int) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > decimals || len(whole) > 12 || strings.ContainsAny(fraction, "+-") {
		return 0, errDecimal
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	if err != nil || whole == "" || whole == "-" {
		return 0, errDecimal
	}
	return n, nil
}

// formatDecimal writes all decimals, as the old shop does.
func formatDecimal(n int64, decimals int) *decimal.Decimal {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	text := fmt.Sprintf("%0*d", decimals+1, n)
	at := len(text) - decimals
	return &decimal.Decimal{Value: sign + text[:at] + "." + text[at:]}
}

// amount gives money as an amount; ok is false when it has more decimals or digits than an amount can have.
func amount(m *money.Money) (n int64, ok bool) {
	const nanos = 1_000_000_000 / amountUnit
	if m.GetUnits() > mostAmount/amountUnit || m.GetUnits() < -mostAmount/amountUnit || int64(m.GetNanos())%nanos != 0 {
		return 0, false
	}
	return m.GetUnits()*amountUnit + int64(m.GetNanos())/nanos, true
}

// moneyOf gives an amount as money.
func moneyOf(n int64, currency string) *money.Money {
	const nanos = 1_000_000_000 / amountUnit
	return &money.Money{CurrencyCode: currency, Units: n / amountUnit, Nanos: int32(n % amountUnit * nanos)} //nolint:gosec // less than a billion
}

// exchange gives what an amount is worth at a rate, rounded to cents. ok is false when that is too much for an amount.
func exchange(n, rate int64) (worth int64, ok bool) {
	product := new(big.Int).Mul(big.NewInt(n), big.NewInt(rate))
	return cents(new(big.Rat).SetFrac(product, big.NewInt(rateUnit)))
}

// cents rounds a number of amount units to whole cents, halves away from zero, as MySQL's ROUND does with decimals.
func cents(n *big.Rat) (rounded int64, ok bool) {
	q := round(new(big.Rat).Quo(n, big.NewRat(cent, 1)))
	q.Mul(q, big.NewInt(cent))
	if !q.IsInt64() || q.Int64() > mostAmount || q.Int64() < -mostAmount {
		return 0, false
	}
	return q.Int64(), true
}

// round rounds to a whole number, halves away from zero.
func round(n *big.Rat) *big.Int {
	half := big.NewRat(1, 2)
	if n.Sign() < 0 {
		half.Neg(half)
	}
	sum := new(big.Rat).Add(n, half)
	return new(big.Int).Quo(sum.Num(), sum.Denom())
}

// worthOf gives what an amount in another currency was worth in the shop's own, to sort by. The old shop divides to 8 decimals
// and rounds to 4 then; so does this.
func worthOf(n, rate int64) (worth int64, ok bool) {
	if rate == 0 {
		return 0, false
	}
	eight := round(new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(n), big.NewInt(rateUnit*10_000)), big.NewInt(rate)))
	four := round(new(big.Rat).SetFrac(eight, big.NewInt(10_000)))
	return four.Int64(), four.IsInt64()
}
