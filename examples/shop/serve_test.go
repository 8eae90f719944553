package shop_test

import (
	"testing"
)

func TestServes(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		t.Log(l.one(t, "OrderService.GetOrder", `{"id": 7}`).json())
		t.Log(l.one(t, "CustomerService.GetCustomer", `{"id": 7}`).json())
		t.Log(l.one(t, "ProductService.GetProduct", `{"id": 8}`).json())
	})
}
