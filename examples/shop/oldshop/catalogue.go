package oldshop

import "context"

// editProduct changes a price and a description, each by itself: the tables are MyISAM.
func editProduct(ctx context.Context, v *visit) error {
	id, err := v.someProduct(ctx)
	if err != nil {
		return err
	}
	if v.dice.IntN(3) > 0 {
		if err := v.exec(ctx, "UPDATE products SET products_price = ?, products_changed = NOW() WHERE products_id = ?", decimal(100+v.dice.Int64N(30000)), id); err != nil {
			return err
		}
	}
	if v.dice.IntN(3) == 0 {
		return v.exec(ctx, "UPDATE products_texts SET products_description = ? WHERE products_id = ? AND language_id = 1",
			"&lt;p&gt;Jetzt noch schöner &amp; günstiger!&lt;/p&gt;", id)
	}
	return nil
}

// restock books goods that have arrived.
func restock(ctx context.Context, v *visit) error {
	id, err := v.someProduct(ctx)
	if err != nil {
		return err
	}
	return v.exec(ctx, "UPDATE products_stock s JOIN products p ON p.products_sku = s.stock_sku "+
		"SET s.stock_count = s.stock_count + ?, s.stock_changed = UNIX_TIMESTAMP() WHERE p.products_id = ?", 5+v.dice.IntN(40), id)
}

func (v *visit) someProduct(ctx context.Context) (int64, error) {
	var last int64
	if err := v.one(ctx, []any{&last}, "SELECT COALESCE(MAX(products_id), 0) FROM products"); err != nil {
		return 0, err
	}
	if last == 0 {
		return 0, ErrNothing
	}
	return 1 + v.dice.Int64N(last), nil
}
