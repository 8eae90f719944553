-- How the old tables write what the contract calls by name.

-- enum: shop.v2.OrderState PENDING=1 PROCESSING=2 SHIPPED=3 DELIVERED=5 RETURNED=8 CANCELLED=9
-- enum: shop.v2.OrderTotal.Kind SUBTOTAL='sub' SHIPPING='ship' DISCOUNT='voucher' TAX='tax' GRAND_TOTAL='total'
-- enum: shop.v2.ShippingMethod STANDARD='STD' EXPRESS='EXP' PICKUP='PICK'
-- enum: shop.v2.Salutation UNSPECIFIED='' MR='m' MS='f' COMPANY='c'
-- enum: shop.v2.CustomerGroup RETAIL=0 TRADE=1 RESELLER=7 STAFF=99
