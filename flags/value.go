package flags

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// value is what an expression gives: one of JSON's types, or failed.
type value struct {
	kind kind
	bool bool
	text string
	num  float64
	// list is of kind list only. An object has nothing that an operator looks at but whether it is empty.
	list []any
	size int
}

func textValue(s string) value { return value{kind: text, text: s} }

func boolValue(b bool) value { return value{kind: boolean, bool: b} }

// valueOf gives a context's attribute as flagd sees it, which writes the context as JSON first.
func valueOf(v any) value {
	switch v := v.(type) {
	case nil:
		return value{kind: null}
	case string:
		return textValue(v)
	case bool:
		return boolValue(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return value{kind: failed}
		}
		return value{kind: number, num: v}
	case int:
		return value{kind: number, num: float64(v)}
	case int64:
		return value{kind: number, num: float64(v)}
	case []any:
		return value{kind: list, list: v}
	case map[string]any:
		return value{kind: object, size: len(v)}
	default:
		plain, ok := plain(v)
		if !ok {
			return value{kind: failed}
		}
		return valueOf(plain)
	}
}

// plain makes any value one that JSON has.
func plain(v any) (any, bool) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, false
	}
	return out, true
}

// holds says whether a condition of that value does.
func (v value) holds() bool {
	switch v.kind {
	case boolean:
		return v.bool
	case number:
		return v.num != 0
	case text:
		return v.text != ""
	case list:
		return len(v.list) > 0
	case object:
		return v.size > 0
	default:
		return false
	}
}

// number is a value as comparisons see it, which is as JavaScript does: NaN equals nothing.
func (v value) number() float64 {
	switch v.kind {
	case null:
		return 0
	case number:
		return v.num
	case boolean:
		if v.bool {
			return 1
		}
		return 0
	case text:
		if strings.TrimSpace(v.text) == "" {
			return 0
		}
		n, err := strconv.ParseFloat(v.text, 64)
		if err != nil {
			return math.NaN()
		}
		return n
	default:
		return math.NaN()
	}
}

// loose is a value's number where it is looked for among numbers: text that is none is 0.
func (v value) loose() (float64, bool) {
	switch v.kind {
	case number:
		return v.num, true
	case text:
		n, _ := strconv.ParseFloat(v.text, 64)
		return n, true
	default:
		return 0, false
	}
}

// appendText appends a value as text; ok is false where it has none.
func (v value) appendText(b []byte) ([]byte, bool) {
	switch v.kind {
	case null:
		return b, true
	case text:
		return append(b, v.text...), true
	case number:
		return strconv.AppendFloat(b, v.num, 'f', -1, 64), true
	default:
		return b, false
	}
}

func equal(a, b value) bool {
	switch {
	case a.kind == null || b.kind == null:
		return a.kind == b.kind
	case a.kind == text && b.kind == text:
		return a.text == b.text
	default:
		return a.number() == b.number()
	}
}

func same(a, b value) bool { return a.kind == b.kind && equal(a, b) }

func less(a, b value) bool {
	if a.kind == text && b.kind == text {
		return a.text < b.text
	}
	return a.number() < b.number()
}
