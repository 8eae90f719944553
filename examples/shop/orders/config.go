package orders

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"banyan.dev/banyan/examples/shop/shopv2"
)

//go:embed config.json
var defaults []byte

// Config is what the service knows of the shop and the contract doesn't tell. Amounts are decimal texts.
type Config struct {
	// Currency is the shop's own; Currencies are those it sells in, with what one unit of its own is worth.
	Currency   string            `json:"currency"`
	Currencies map[string]string `json:"currencies"`
	// Countries are ISO 3166-1 alpha-2 codes of where it delivers to.
	Countries []string `json:"countries"`
	// Shipping gives a method's fee in the shop's own currency by country; "*" stands for all others.
	Shipping map[string]map[string]string `json:"shipping"`
	Tax      Tax                          `json:"tax"`

	rates     map[string]int64                           // by folded code, with 6 decimals
	codes     map[string]string                          // codes of currencies and countries by their folded form
	countries map[string]string                          // the same of countries
	fees      map[shopv2.ShippingMethod]map[string]int64 // with 4 decimals
	percents  struct {
		standard, digital int64
		products          map[string]int64
	} // with 4 decimals
}

// Tax is the percent that prices contain. Products lists those, by article number, that have another than their kind.
type Tax struct {
	Standard string            `json:"standard"`
	Digital  string            `json:"digital"`
	Products map[string]string `json:"products"`
}

// DefaultConfig is that of the example's old shop.
func DefaultConfig() (*Config, error) { return ParseConfig(defaults) }

// ParseConfig reads a configuration in JSON. All that is wrong in it is in the error.
func ParseConfig(text []byte) (*Config, error) {
	c := &Config{}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(c); err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	if err := c.settle(); err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	return c, nil
}

// AddTaxes adds the percent of tax of products, as a JSON object by article number.
func (c *Config) AddTaxes(text []byte) error {
	taxes := map[string]string{}
	if err := json.Unmarshal(text, &taxes); err != nil {
		return fmt.Errorf("taxes: %w", err)
	}
	if c.Tax.Products == nil {
		c.Tax.Products = map[string]string{}
	}
	maps.Copy(c.Tax.Products, taxes)
	return c.settle()
}

// settle reads the texts.
func (c *Config) settle() error {
	var wrong error
	number := func(what, text string, decimals int, least int64) int64 {
		n, err := parseDecimal(text, decimals)
		if err == nil && n < least {
			err = errors.New("is too small")
		}
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %q: %w", what, text, err))
		}
		return n
	}
	c.rates, c.codes, c.countries = map[string]int64{}, map[string]string{}, map[string]string{}
	for code, rate := range c.Currencies {
		c.codes[equal(code)] = code
		c.rates[equal(code)] = number("currencies: "+code, rate, rateDecimals, 1)
	}
	if _, known := c.Currencies[c.Currency]; !known {
		wrong = errors.Join(wrong, fmt.Errorf("currency: %q is none of the currencies", c.Currency))
	}
	for _, code := range c.Countries {
		c.countries[equal(code)] = code
	}
	c.fees = map[shopv2.ShippingMethod]map[string]int64{}
	for _, name := range slices.Sorted(maps.Keys(c.Shipping)) {
		method, known := shopv2.ShippingMethod_value[name]
		if !known || method == 0 {
			wrong = errors.Join(wrong, fmt.Errorf("shipping: %q is no shipping method of the contract", name))
		}
		fees := map[string]int64{}
		for country, fee := range c.Shipping[name] {
			fees[country] = number("shipping: "+name+": "+country, fee, amountDecimals, 0)
		}
		if _, all := fees["*"]; !all {
			wrong = errors.Join(wrong, fmt.Errorf(`shipping: %s: "*" is missing, the fee of all other countries`, name))
		}
		c.fees[shopv2.ShippingMethod(method)] = fees
	}
	c.percents.standard = number("tax: standard", c.Tax.Standard, amountDecimals, 0)
	c.percents.digital = number("tax: digital", c.Tax.Digital, amountDecimals, 0)
	c.percents.products = map[string]int64{}
	for sku, percent := range c.Tax.Products {
		c.percents.products[equal(sku)] = number("tax: products: "+sku, percent, amountDecimals, 0)
	}
	return wrong
}

// currency gives a currency by its code, or the shop's own without one.
func (c *Config) currency(code string) (name string, rate int64, known bool) {
	if equal(code) == "" {
		code = c.Currency
	}
	name, known = c.codes[equal(code)]
	return name, c.rates[equal(code)], known
}

// country gives a country's code as the shop writes it.
func (c *Config) country(code string) (name string, known bool) {
	name, known = c.countries[equal(code)]
	return name, known
}

// fee gives what a parcel costs in the shop's own currency.
func (c *Config) fee(method shopv2.ShippingMethod, country string) (fee int64, known bool) {
	fees, known := c.fees[method]
	if fee, own := fees[country]; own {
		return fee, true
	}
	return fees["*"], known
}

// taxOf gives the percent of tax in a product's price.
func (c *Config) taxOf(p *shopv2.Product) int64 {
	if percent, own := c.percents.products[equal(p.GetSku())]; own {
		return percent
	}
	if p.GetDigital() {
		return c.percents.digital
	}
	return c.percents.standard
}
