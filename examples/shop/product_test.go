package shop_test

import (
	"fmt"
	"testing"
)

func TestProductIsChangedAndDeleted(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		l.fails(t, "ProductService.GetProduct", `{"id": 999}`, "NotFound PRODUCT_NOT_FOUND")
		l.fails(t, "ProductService.GetProduct", `{"id": 1, "languageCode": "xx"}`, "InvalidArgument UNKNOWN_LANGUAGE")
		l.fails(t, "ProductService.SearchProducts", `{"maxPrice": {"currencyCode": "USD", "units": 3}}`, "InvalidArgument OTHER_CURRENCY")
		if !l.mixesEngines(t) {
			t.Skip("this server does not let the catalogue be changed")
		}
		sku, _ := l.articles(t)
		id := l.number(t, "SELECT products_id FROM products WHERE products_sku = ?", sku)
		update := func(product, mask string) string {
			return fmt.Sprintf(`{"product": {"id": %d, %s}, "updateMask": %q, "languageCode": "en"}`, id, product, mask)
		}
		got := l.one(t, "ProductService.UpdateProduct", update(`"displayName": "5\" <pot>", "price": {"currencyCode": "EUR", "units": 3, "nanos": 990000000}, "availableQuantity": 33, "manufacturer": "Löwe"`, "displayName,price,availableQuantity,weightKg"))
		for path, want := range map[string]any{
			"displayName": `5" <pot>`, "price.units": "3", "price.nanos": 990000000.0, "availableQuantity": 33.0, "weightKg": nil, "sku": sku,
		} {
			if got.at(path) != want {
				t.Errorf("%s is %v, want %v", path, got.at(path), want)
			}
		}
		if german := l.one(t, "ProductService.GetProduct", fmt.Sprintf(`{"id": %d}`, id)); german.text("displayName") == `5" <pot>` {
			t.Error("the text in the other language changed too")
		}
		l.fails(t, "ProductService.UpdateProduct", update(`"price": {"currencyCode": "USD", "units": 3}`, "price"), "InvalidArgument OTHER_CURRENCY")
		l.fails(t, "ProductService.UpdateProduct", update(`"manufacturer": "Nobody"`, "manufacturer"), "InvalidArgument UNKNOWN_MANUFACTURER")
		l.fails(t, "ProductService.UpdateProduct", `{"product": {"id": 999}, "updateMask": "buyable"}`, "NotFound PRODUCT_NOT_FOUND")

		request := fmt.Sprintf(`{"id": %d}`, id)
		order := l.one(t, "OrderService.PlaceOrder", anOrder(7, fmt.Sprintf(`{"sku": %q, "quantity": 1}`, sku)))
		l.fails(t, "ProductService.DeleteProduct", request, "FailedPrecondition PRODUCT_ON_ORDER")
		if _, err := l.db.ExecContext(t.Context(), "UPDATE orders SET orders_status = 5"); err != nil {
			t.Fatal(err)
		}
		deleted := l.one(t, "ProductService.DeleteProduct", request)
		for path, want := range map[string]any{"buyable": nil, "featured": nil, "availableQuantity": nil, "categories": nil, "sku": sku} {
			if deleted.at(path) != want {
				t.Errorf("deleted: %s is %v, want %v", path, deleted.at(path), want)
			}
		}
		if deleted.at("deleteTime") == nil {
			t.Error("it has no delete_time")
		}
		l.fails(t, "ProductService.DeleteProduct", request, "NotFound PRODUCT_NOT_FOUND")
		l.fails(t, "OrderService.PlaceOrder", anOrder(7, fmt.Sprintf(`{"sku": %q, "quantity": 1}`, sku)), "FailedPrecondition NOT_BUYABLE")
		if again := l.one(t, "OrderService.GetOrder", fmt.Sprintf(`{"id": %s}`, order.text("id"))); again.text("lines.0.sku") != sku {
			t.Error("the order lost its line")
		}
		back := l.one(t, "ProductService.UndeleteProduct", request)
		if back.at("deleteTime") != nil || back.at("buyable") != nil {
			t.Errorf("undeleting gave %s", back.json())
		}
		l.fails(t, "ProductService.UndeleteProduct", request, "FailedPrecondition PRODUCT_NOT_DELETED")
	})
}

func TestReviewsHaveNames(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		product := l.number(t, "SELECT MAX(products_id) FROM products_reviews WHERE reviews_nr = 2")
		name := fmt.Sprintf("products/%d/reviews/2", product)
		if got := l.one(t, "ProductService.GetReview", fmt.Sprintf(`{"name": %q}`, name)); got.text("name") != name || got.at("createTime") == nil {
			t.Errorf("got %s", got.json())
		}
		names := l.pages(t, "ProductService.ListReviews", "reviews", "name", fmt.Sprintf(`, "parent": "products/%d"`, product), 1)
		if len(names) < 2 || names[1] != name {
			t.Errorf("the product's reviews are %v", names)
		}
		for _, bad := range []string{name + "x", "products/1x/reviews/1", "", "products/-1/reviews/0", "products/1"} {
			l.fails(t, "ProductService.GetReview", fmt.Sprintf(`{"name": %q}`, bad), "NotFound REVIEW_NOT_FOUND")
		}
	})
}
