package value

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestElementEncoder(t *testing.T) {
	enc, err := testCodec().ElementEncoder(Column{Name: "c", Type: "VARCHAR"}, fieldNamed(t, "rstr"))
	if err != nil {
		t.Fatal(err)
	}
	var wire []byte
	for _, v := range []driver.Value{[]byte("a"), []byte(""), "c"} {
		if wire, err = enc(wire, v); err != nil {
			t.Fatal(err)
		}
	}
	if want := wantMessage(t, `{"rstr":["a","","c"]}`); !proto.Equal(decode(t, wire), want) {
		t.Fatalf("got %v", decode(t, wire))
	}
	if _, err := enc(nil, nil); err == nil || !strings.Contains(err.Error(), "IS NOT NULL") {
		t.Fatalf("NULL as an element: %v", err)
	}
	if _, err := testCodec().ElementEncoder(Column{Name: "c", Type: "VARCHAR"}, fieldNamed(t, "str")); err == nil {
		t.Fatal("a field that is not repeated takes elements")
	}
}

// TestMapEntry fills a map from rows: its entry's fields are fields as any other.
func TestMapEntry(t *testing.T) {
	fd := fieldNamed(t, "mline")
	key, err := testCodec().Encoder(Column{Name: "k", Type: "INT"}, fd.MapKey())
	if err != nil {
		t.Fatal(err)
	}
	value, err := testCodec().Encoder(Column{Name: "v", Type: "JSON"}, fd.MapValue())
	if err != nil {
		t.Fatal(err)
	}
	wire, start := beginMessage(nil, fd.Number())
	if wire, err = key(wire, int64(7)); err != nil {
		t.Fatal(err)
	}
	if wire, err = value(wire, []byte(`{"sku":"x"}`)); err != nil {
		t.Fatal(err)
	}
	wire = endMessage(wire, start)
	if want := wantMessage(t, `{"mline":{"7":{"sku":"x"}}}`); !proto.Equal(decode(t, wire), want) {
		t.Fatalf("got %v", decode(t, wire))
	}
}

// TestMoneyAmount builds a Money from two columns.
func TestMoneyAmount(t *testing.T) {
	amount, err := testCodec().MoneyAmount(Column{Name: "total", Type: "DECIMAL"})
	if err != nil {
		t.Fatal(err)
	}
	fd := fieldNamed(t, "money")
	currency, err := testCodec().Encoder(Column{Name: "currency", Type: "CHAR"}, fd.Message().Fields().ByName("currency_code"))
	if err != nil {
		t.Fatal(err)
	}
	wire, start := beginMessage(nil, fd.Number())
	if wire, err = amount(wire, []byte("-12.50")); err != nil {
		t.Fatal(err)
	}
	if wire, err = currency(wire, []byte("EUR")); err != nil {
		t.Fatal(err)
	}
	wire = endMessage(wire, start)
	if want := wantMessage(t, `{"money":{"currencyCode":"EUR","units":"-12","nanos":-500000000}}`); !proto.Equal(decode(t, wire), want) {
		t.Fatalf("got %v", decode(t, wire))
	}
	for _, v := range []driver.Value{nil, []byte("0.00")} {
		if b, err := amount(nil, v); err != nil || len(b) != 0 {
			t.Errorf("%v appends %x, %v", v, b, err)
		}
	}
	var r *Refusal
	if _, err := testCodec().MoneyAmount(Column{Name: "total", Type: "DOUBLE"}); !errors.As(err, &r) {
		t.Fatalf("a DOUBLE amount: %v", err)
	}
}

// TestLengths checks records whose length takes more than the one byte that is kept for it.
func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16383, 16384, 2097151, 2097152} {
		inside := bytes.Repeat([]byte{7}, n)
		b, start := beginMessage([]byte("before"), 9)
		b = endMessage(append(b, inside...), start)
		want := protowire.AppendBytes(protowire.AppendTag([]byte("before"), 9, protowire.BytesType), inside)
		if !bytes.Equal(b, want) {
			t.Errorf("%d bytes are wrapped wrongly", n)
		}
	}
}

func TestColumnsWithoutValues(t *testing.T) {
	for _, field := range []string{"i32", "str", "ts", "rstr", "mstr", "line", "wb"} {
		enc, err := testCodec().Encoder(Column{Name: "c", Type: "NULL"}, fieldNamed(t, field))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := enc(nil, nil); err != nil || len(b) != 0 {
			t.Errorf("%s: NULL appends %x, %v", field, b, err)
		}
		if _, err := enc(nil, int64(1)); err == nil {
			t.Errorf("%s: a column without a type gave a value", field)
		}
		var r *Refusal
		if _, err := testCodec().Encoder(Column{Name: "c", Type: ""}, fieldNamed(t, field)); !errors.As(err, &r) {
			t.Errorf("%s: a column of unknown type: %v", field, err)
		}
	}
}

// TestForeignGoTypes hands each encoder what its column never gives.
func TestForeignGoTypes(t *testing.T) {
	for _, typ := range everyType {
		fields := message(t, "All").Fields()
		for i := range fields.Len() {
			enc, err := testCodec().Encoder(Column{Name: "c", Type: typ}, fields.Get(i))
			if err != nil {
				continue
			}
			if b, err := enc(nil, struct{}{}); err == nil || len(b) != 0 {
				t.Errorf("%s into %s takes a struct: %x", typ, fields.Get(i).Name(), b)
			}
		}
	}
}

// TestArgsAreReadToo: what ArgOf makes of a value is read as the value is.
func TestArgsAreReadToo(t *testing.T) {
	for _, tc := range scalars {
		col := Column{Name: "c", Type: tc.typ}
		enc, err := testCodec().Encoder(col, fieldNamed(t, tc.field))
		if err != nil {
			t.Fatal(err)
		}
		was, err := enc(nil, tc.value)
		if err != nil {
			t.Fatal(err)
		}
		if is, err := enc(nil, ArgOf(col, tc.value)); err != nil || !bytes.Equal(is, was) {
			t.Errorf("%s into %s: the argument is %x, %v, the value %x", tc.typ, tc.field, is, err, was)
		}
	}
}

// everyType is a DatabaseTypeName of each class.
var everyType = []string{
	"INT", "UNSIGNED BIGINT", "YEAR", "BIT", "DECIMAL", "FLOAT", "DOUBLE", "VARCHAR", "ENUM", "SET", "VARBINARY", "JSON",
	"DATETIME", "TIMESTAMP", "DATE", "TIME", "GEOMETRY", "VECTOR",
}
