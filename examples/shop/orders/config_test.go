package orders

import (
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/type/money"
	"pgregory.net/rapid"
)

func TestConfigIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{`:             "unexpected EOF",
		`{"colour": 1}`: "unknown field",
		`{}`:            "currency: \"\" is none",
		`{"currency": "EUR", "currencies": {"EUR": "0"}}`:         "currencies: EUR: \"0\": is too small",
		`{"shipping": {"BY_SEA": {}}}`:                            "BY_SEA\" is no shipping method",
		`{"shipping": {"SHIPPING_METHOD_PICKUP": {"DE": "1,5"}}}`: "\"1,5\": is no decimal",
		`{"tax": {"standard": "-1"}}`:                             "tax: standard: \"-1\": is too small",
		`{"tax": {"products": {"A": "x"}}}`:                       "tax: products: A",
	} {
		if _, err := ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
	c, err := DefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddTaxes([]byte(`{"A": "7"}`)); err != nil || c.percents.products["A"] != 70_000 {
		t.Errorf("taxes are %v, %v", c.percents.products, err)
	}
	if err := c.AddTaxes([]byte(`{"A": 7}`)); err == nil {
		t.Error("numbers are no decimal texts")
	}
}

func TestDecimals(t *testing.T) {
	for _, text := range []string{"", "-", ".", "1.23456", "1e3", "+-1", "1.-2", "1.+2", " 1", "1234567890123", "x"} {
		if n, err := parseDecimal(text, 4); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-mostAmount, mostAmount).Draw(t, "n")
		text := formatDecimal(n, 4).GetValue()
		if text == "" || text == "-0.0000" {
			t.Fatal(text)
		}
		if len(strings.TrimPrefix(text, "-")) <= 12+5 {
			if got, err := parseDecimal(text, 4); err != nil || got != n {
				t.Fatalf("%s is %d, %v", text, got, err)
			}
		}
		if got, ok := amount(moneyOf(n, "EUR")); !ok || got != n {
			t.Fatalf("%d as money is %d", n, got)
		}
	})
	for _, m := range []*money.Money{{Nanos: 1}, {Nanos: 99_999}, {Units: 1 << 60}, {Units: -1 << 60}} {
		if n, ok := amount(m); ok {
			t.Errorf("%v is %d", m, n)
		}
	}
	for n, want := range map[int64]int64{49: 0, 50: 100, 149: 100, 150: 200, -49: 0, -50: -100, -150: -200} { // of 1/10000
		if got, ok := cents(big.NewRat(n, 1)); !ok || got != want {
			t.Errorf("%d rounded is %d, want %d", n, got, want)
		}
	}
	if _, ok := exchange(mostAmount, 25_118_000); ok {
		t.Error("too much is an amount")
	}
}

func TestTextsOfTheOldShop(t *testing.T) {
	if n := utf8.RuneCountInString(windows); n != 32 || len(weights) != 64 {
		t.Fatalf("there are %d characters and %d weights", n, len(weights))
	}
	for text, want := range map[string]bool{"": true, "Zoë € ÿ": true, "\u0081": true, "\u0080": false, "Łódź": false, "日": false, "\ufeff": false, "\x00": true} {
		if holdable(text) != want {
			t.Errorf("%q can be held: %v", text, !want)
		}
	}
	for _, pair := range [][2]string{{"Zoë", "ZOE  "}, {"Müller", "myller"}, {"é", "E"}, {"Ð", "d"}} {
		if equal(pair[0]) != equal(pair[1]) {
			t.Errorf("%q is not %q", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"ä", "a"}, {"ö", "o"}, {"ß", "s"}, {" a", "a"}, {"š", "Š"}} {
		if equal(pair[0]) == equal(pair[1]) {
			t.Errorf("%q is %q", pair[0], pair[1])
		}
	}
	if got := successor([]byte{1, 0xFF, 0xFF}); string(got) != "\x02" || successor([]byte{0xFF}) != nil {
		t.Errorf("the successor is %v", got)
	}
	if got := printable(strings.Repeat("ä", 101) + "\x00"); utf8.RuneCountInString(got) != 101 || printable("a\x00\xff") != "a\ufffd\ufffd" {
		t.Errorf("told is %q", got)
	}
}
