package value

import (
	"database/sql/driver"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// floatEncoder carries FLOAT into float and double, DOUBLE into double. The driver gives a FLOAT as a float32, which
// a double holds exactly.
func floatEncoder(col Column, cl class, f field) Encoder {
	if cl != classFloat && cl != classDouble {
		return nil
	}
	if f.kind == protoreflect.DoubleKind {
		return func(b []byte, v driver.Value) ([]byte, error) {
			var d float64
			switch v := v.(type) {
			case nil:
				return b, nil
			case float32:
				d = float64(v)
			case float64:
				d = v
			default:
				return b, unexpected(col, v)
			}
			bits := math.Float64bits(d)
			if bits == 0 && f.omitZero {
				return b, nil
			}
			b = protowire.AppendTag(b, f.num, protowire.Fixed64Type)
			return protowire.AppendFixed64(b, bits), nil
		}
	}
	if cl == classDouble {
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		d, ok := v.(float32)
		if wide, isWide := v.(float64); isWide { // ArgOf has widened it
			d, ok = float32(wide), float64(float32(wide)) == wide
		}
		if !ok {
			return b, unexpected(col, v)
		}
		bits := math.Float32bits(d)
		if bits == 0 && f.omitZero {
			return b, nil
		}
		b = protowire.AppendTag(b, f.num, protowire.Fixed32Type)
		return protowire.AppendFixed32(b, bits), nil
	}
}
