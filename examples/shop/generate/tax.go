package generate

import "fmt"

// Taxes gives the percent of tax that the prices of products contain, by article number, as the old shop's tables say it. It
// is not in the contract: a new service has to be told.
func Taxes(o Options) (map[string]string, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	w := &world{Options: o}
	out := make(map[string]string, w.Products)
	for n := 1; n <= w.Products; n++ {
		p := w.product(n)
		out[p.sku] = fmt.Sprintf("%d.%04d", taxPercent(p.taxClass)/10000, taxPercent(p.taxClass)%10000)
	}
	return out, nil
}

// taxPercent gives the percent of a class of taxes.
func taxPercent(class int) decimal {
	if class == 2 {
		return 7_0000
	}
	return 19_0000
}
