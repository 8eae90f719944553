package generate

import (
	"crypto/md5" //nolint:gosec // What the shop names its images by, not a secret.
	"fmt"
	"strconv"
	"strings"
	"time"
)

// product is what orders need to know of an article.
type product struct {
	id       int
	sku      string
	name     string // in German, escaped
	price    decimal
	taxClass int
	digital  bool
	dice     dice // goes on where the product's own facts end
}

// product makes product n, counted from 1.
func (w *world) product(n int) product {
	d := w.dice(ofProduct, n)
	noun := pick(d, nouns())
	adjective := pick(d, adjectives())
	p := product{id: n, taxClass: 1, dice: d}
	p.sku = fmt.Sprintf("%s-%05d-%c", noun.code, n, 'A'+d.IntN(6))
	p.name = escape(join(noun.de, adjective[0]))
	p.digital = noun.code == "PA"
	if p.digital || d.percent(10) {
		p.taxClass = 2
	}
	p.price = decimal(d.between(1, 299))*10000 + pick(d, []decimal{9900, 9500, 4900, 0})
	if d.percent(3) {
		p.price += decimal(d.IntN(100)) // what a net price becomes with tax on it, and nobody rounded
	}
	return p
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

const (
	rootCategories  = 6
	childCategories = 4
)

// catalogue writes makers, categories, products and what hangs on them.
func (w *world) catalogue(out *writer) {
	t := out.table("makers", "makers_id, makers_name, makers_url")
	for i, name := range makerNames() {
		t.row(i+1, name, fmt.Sprintf("http://www.example.com/maker?id=%d&lang=de", i+1))
	}
	w.categories(out)
	tables := productTables{
		products:   out.table("products", "products_id, products_sku, products_maker, products_price, products_taxclass, products_weight, products_active, products_featured, products_download, products_image, products_image_md5, products_available, products_added, products_changed, products_removed"),
		texts:      out.table("products_texts", "products_id, language_id, products_name, products_description, products_views"),
		categories: out.table("products_categories", "products_id, categories_id"),
		attributes: out.table("products_attributes", "products_id, `group`, `key`, `value`, order_"),
		stock:      out.table("products_stock", "stock_sku, stock_count, stock_place, stock_changed"),
		reviews:    out.table("products_reviews", "products_id, reviews_nr, customers_id, reviews_author, reviews_stars, reviews_text, reviews_verified, reviews_time"),
	}
	for n := 1; n <= w.Products; n++ {
		w.writeProduct(tables, n)
	}
}

func (w *world) categories(out *writer) {
	t := out.table("categories", "categories_id, categories_parent, categories_visible, order_")
	texts := out.table("categories_texts", "categories_id, language_id, categories_name")
	de := []string{"Garten", "Küche", "Werkstatt", "Tür und Tor", "Möbel", "Restposten"}
	en := []string{"Garden", "Kitchen", "Workshop", "Doors and gates", "Furniture", "Remainders"}
	for root := range rootCategories {
		id := root*(childCategories+1) + 1
		t.row(id, 0, bit(root != rootCategories-1), (root+1)*10)
		texts.row(id, 1, de[root])
		texts.row(id, 2, en[root])
		for child := 1; child <= childCategories; child++ {
			t.row(id+child, id, 1, child*10)
			texts.row(id+child, 1, fmt.Sprintf("%s für %d €", de[root], child*25))
			texts.row(id+child, 2, fmt.Sprintf("%s up to %d €", en[root], child*25))
		}
	}
}

// productTables are the tables that a product is spread over.
type productTables struct {
	products, texts, categories, attributes, stock, reviews *table
}

func (w *world) writeProduct(t productTables, n int) {
	p := w.product(n)
	d := p.dice
	added := d.time(opening, w.Until)
	var available, changed, removed moment
	if d.percent(5) {
		day := w.Until.AddDate(0, 0, d.between(-20, 60))
		available.Time = time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
	}
	if d.percent(60) {
		changed.Time = d.time(added, w.Until)
	}
	gone := d.percent(3)
	if gone {
		removed.Time = d.time(added, w.Until)
	}
	weight := int64(d.between(0, 12000))
	if p.digital || d.percent(20) {
		weight = 0
	}
	t.products.row(n, p.sku, d.between(0, len(makerNames())), p.price, p.taxClass, decimal(weight*10), yes(!gone && d.percent(92), "J", "N"),
		yes(!gone && d.percent(6), "Y", "N"), bit(p.digital), "img/"+strconv.Itoa(n)+".gif", image(d, n), available, moment{added}, changed, removed)
	w.productTexts(t, p, n)
	first := d.IntN(rootCategories * (childCategories + 1))
	if !gone {
		t.categories.row(n, first+1)
		if d.percent(35) {
			t.categories.row(n, (first+7)%(rootCategories*(childCategories+1))+1)
		}
		if !d.percent(2) {
			t.stock.row(p.sku, d.between(0, 400), fmt.Sprintf("R%02d/%c", d.between(1, 40), 'A'+d.IntN(8)), epoch(d.time(added, w.Until)))
		}
	}
	for i, a := range attributes() {
		if d.percent(55) {
			t.attributes.row(n, a.group, a.key, pick(d, a.values), i*10)
		}
	}
	if w.Customers > 0 {
		w.writeReviews(t.reviews, n, added)
	}
}

func (w *world) productTexts(t productTables, p product, n int) {
	again := w.dice(ofProduct, n)
	noun, adjective := pick(again, nouns()), pick(again, adjectives())
	t.texts.row(n, 1, p.name, escape("<p>Für Haus & Garten. "+noun.de+" in bester Qualität.</p>"), p.dice.IntN(5000))
	t.texts.row(n, 2, escape(join(noun.en, adjective[1])), escape("<p>For house & garden.</p>"), p.dice.IntN(900))
}

// image gives the digest of a product's picture. Some end in zero bytes, which a BINARY column must not lose.
func image(d dice, n int) []byte {
	if d.percent(30) {
		return nil
	}
	sum := md5.Sum([]byte(strconv.Itoa(n))) //nolint:gosec // see the import
	if n%8 == 0 {
		sum[15] = 0
	}
	return sum[:]
}

type attribute struct {
	group, key string
	values     []string
}

func attributes() []attribute {
	return []attribute{
		{"main", "Farbe", []string{"grün", "weiß", "schwarz", "ocker"}},
		{"main", "Material", []string{"Stahl", "Holz", "Gußeisen", "Kunststoff"}},
		{"technik", "Breite (mm)", []string{"120", "240", "300"}},
		{"technik", "Höhe (mm)", []string{"80", "1000", ""}},
		{"intern", "EAN", []string{"4006381333931", "4012345678901"}},
	}
}

func (w *world) writeReviews(t *table, n int, added time.Time) {
	d := w.dice(ofReview, n)
	for nr := range max(0, d.between(-2, 3)) {
		author := w.customer(d.between(1, w.Customers))
		t.row(n, nr+1, strconv.Itoa(author.id), strings.TrimSpace(author.first+" "+string([]rune(author.last)[:1])+"."), d.between(1, 5),
			pick(d, reviewTexts()), yes(d.percent(70), "Y", "N"), epoch(d.time(added, w.Until)))
	}
}
