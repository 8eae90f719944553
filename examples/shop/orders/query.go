package orders

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"banyan.dev/banyan/examples/shop/shopv2"
)

// query is a question for orders: conditions that all hold.
type query struct {
	where []string
	args  []any
}

func (q *query) and(condition string, args ...any) {
	q.where, q.args = append(q.where, condition), append(q.args, args...)
}

// prefix asks for texts that begin so, in any of the columns.
func (q *query) prefix(text string, columns ...string) {
	low := fold(text)
	high := successor(low)
	var either []string
	for _, column := range columns {
		condition := column + " >= ?"
		q.args = append(q.args, low)
		if high != nil {
			condition += " AND " + column + " < ?"
			q.args = append(q.args, high)
		}
		either = append(either, condition)
	}
	q.where = append(q.where, "("+strings.Join(either, " OR ")+")")
}

// between asks for orders placed in a time.
func (q *query) between(after, before *timestamppb.Timestamp) error {
	for _, bound := range []struct {
		name, condition string
		at              *timestamppb.Timestamp
	}{{"created_after", "placed >= ?", after}, {"created_before", "placed < ?", before}} {
		if bound.at == nil {
			continue
		}
		if err := bound.at.CheckValid(); err != nil {
			return field(bound.name, "is no time from year 1 to 9999")
		}
		if bound.at.GetNanos()%1000 != 0 {
			return field(bound.name, "must have at most 6 decimals of a second")
		}
		q.and(bound.condition, placed(bound.at))
	}
	return nil
}

// states asks for orders in any of these states; none are all.
func (q *query) states(name string, states ...shopv2.OrderState) error {
	if len(states) == 0 {
		return nil
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(states)), ", ")
	q.where = append(q.where, "state IN ("+marks+")")
	for _, state := range states {
		if _, known := shopv2.OrderState_name[int32(state)]; !known || state == shopv2.OrderState_ORDER_STATE_UNSPECIFIED {
			return field(name, "must be one of ORDER_STATE_PENDING, ORDER_STATE_PROCESSING, ORDER_STATE_SHIPPED, ORDER_STATE_DELIVERED, ORDER_STATE_CANCELLED, ORDER_STATE_RETURNED")
		}
		q.args = append(q.args, int32(state))
	}
	return nil
}

// atLeast asks for orders of at least this grand total.
func (q *query) atLeast(m *money.Money) error {
	const nanos = 1_000_000_000 / amountUnit
	switch {
	case m == nil:
		return nil
	case equal(m.GetCurrencyCode()) == "":
		return fail(invalidArgument, "CURRENCY_MISSING", "min_total.currency_code: say which currency the amount is in, such as EUR")
	case m.GetNanos() < -999_999_999 || m.GetNanos() > 999_999_999:
		return field("min_total", "nanos must be from -999999999 to 999999999")
	case !sameSign(m):
		return field("min_total", "units and nanos must have the same sign")
	case !holdable(m.GetCurrencyCode()):
		return invalid("VALUE_NOT_STORABLE", "", notStorable)
	}
	const most = mostAmount/amountUnit + 1 // beyond, there are no totals
	units := max(min(m.GetUnits(), most), -most)
	least := units * amountUnit
	if n := int64(m.GetNanos()); n >= 0 {
		least += (n + nanos - 1) / nanos
	} else {
		least += n / nanos // -0.00009 and more is 0
	}
	q.and("total >= ? AND currency = ?", least, equal(m.GetCurrencyCode()))
	return nil
}

// order is one that a list can have.
type order struct {
	name   string // as in order_by
	column string // before the id; empty when there is none
	desc   bool
}

// orderOf chooses the order that a request asks for; the first is that of an empty order_by.
func orderOf(wish string, offered []order) (order, error) {
	if wish == "" {
		return offered[0], nil
	}
	i := slices.IndexFunc(offered, func(o order) bool { return o.name == wish })
	if i < 0 {
		var names []string
		for _, o := range offered {
			if o.name != "" {
				names = append(names, `"`+o.name+`"`)
			}
		}
		return order{}, field("order_by", "this list can't be ordered so; it can be by %s", strings.Join(names, ", "))
	}
	return offered[i], nil
}

// page runs a query for one page, and gives where it ended; that is no place on the last page.
func (d *database) page(ctx context.Context, q *query, by order, from place, size int) (found []*shopv2.Order, end place, err error) {
	column, direction, than := by.column, "", ">"
	if column == "" {
		column = "id"
	}
	if by.desc {
		direction, than = " DESC", "<"
	}
	if from.set {
		q.and("("+column+", id) "+than+" (?, ?)", from.value, from.id)
	}
	text := "SELECT " + column + ", id, document FROM orders"
	if len(q.where) > 0 {
		text += " WHERE " + strings.Join(q.where, " AND ")
	}
	text += " ORDER BY " + column + direction + ", id" + direction + " LIMIT ?"
	rows, err := d.read.QueryContext(ctx, text, append(q.args, size+1)...)
	if err != nil {
		return nil, place{}, err
	}
	defer rows.Close()
	var last place
	for rows.Next() {
		if len(found) == size {
			end = last
			break
		}
		var document []byte
		if err := rows.Scan(&last.value, &last.id, &document); err != nil {
			return nil, place{}, err
		}
		last.set = true
		o := &shopv2.Order{}
		if err := proto.Unmarshal(document, o); err != nil {
			return nil, place{}, err
		}
		found = append(found, o)
	}
	return found, end, rows.Err()
}
