// Package orders is the new order service of the example shop: shop.v2.OrderService on a SQLite database of its own design.
//
// It is what a team writes beside its old system, and builds on Banyan's package consumer only. Entity events keep its orders
// equal to the old shop's until it is live; from then on it takes the orders, and Banyan brings each back into the old shop's
// tables before the caller has the reply. So it gives, message for message, what the old shop would show of the same order:
// times in whole seconds, texts that the old tables can hold, decimals as they write them.
//
// An order is kept as one document, the contract's message, with columns beside it for what lists and searches ask. Customers
// and products are not its own: it asks Banyan's facade for them. What the contract doesn't tell (fees, currencies, taxes,
// countries) is its configuration.
//
// Ids of its orders count from FirstID. The old shop's counter stays below, and the put of an order from up there leaves it
// alone; so both sides may take orders at the same time and never give the same id twice.
//
// Whether an order can be delivered is asked of the catalogue before it is taken, and the stock is taken when the order
// comes back to the old shop. Two orders for the last piece at the same moment can both be taken; the stock is below zero
// then, as the contract says it may be.
package orders
