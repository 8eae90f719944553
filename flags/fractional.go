package flags

import (
	"math"

	"github.com/twmb/murmur3"
)

// fractional gives a text to each share of all buckets. Its arithmetic is that of flagd core v0.13.2, step by step, so
// that each key gets what flagd gives it.
type fractional struct {
	// bucket gives the text that is hashed; nil stands for flag key and targeting key. A list, which can only come from
	// an attribute, fails; flagd takes it for a share.
	bucket expression
	shares []share
}

// share is what buckets below end get that the share before doesn't have. Ends are in percent.
type share struct {
	text string
	end  float64
}

// weigh makes shares of weights, of which at least one is positive.
func weigh(texts []string, weights []int) []share {
	total := 0
	for _, w := range weights {
		total += w
	}
	shares, end := make([]share, len(texts)), 0.0
	for i, t := range texts {
		end += 100 * float64(weights[i]) / float64(total)
		shares[i] = share{text: t, end: end}
	}
	return shares
}

// kinds leaves out that three of all hashes are in no share: they give an empty text, for which flagd has no variant.
func (e fractional) kinds() kind {
	k := text
	if e.bucket != nil {
		given := e.bucket.kinds()
		k |= given & failed
		if given&list != 0 {
			k |= failed
		}
		if given&(boolean|number|object) != 0 {
			k |= null
		}
	}
	return k
}

func (e fractional) eval(in input) value {
	var room [256]byte
	b := room[:0]
	switch bucket := e.bucket.(type) {
	case nil:
		b = append(append(b, in.flag...), in.key...)
	case cat:
		var ok bool
		if b, ok = bucket.append(b, in); !ok {
			return value{kind: failed}
		}
	default:
		v := bucket.eval(in)
		switch v.kind {
		case text:
			b = append(b, v.text...)
		case null:
			b = append(append(b, in.flag...), in.key...)
		case failed, list:
			return value{kind: failed}
		default:
			return value{kind: null}
		}
	}
	return textValue(pick(e.shares, bucketOf(murmur3.Sum32(b))))
}

// bucketOf makes a hash a bucket, in percent. It can be 100, and a trifle more: the hash's sign is dropped.
func bucketOf(hash uint32) float64 {
	//nolint:gosec // the hash is taken for a signed number, as flagd takes it
	return math.Abs(float64(int32(hash))) / math.MaxInt32 * 100
}

func pick(shares []share, bucket float64) string {
	for _, s := range shares {
		if bucket < s.end {
			return s.text
		}
	}
	return ""
}
