package flags

import "math"

// fractional compiles [bucket, [text, weight], ...]. The bucket may be left out.
func (c *compiler) fractional(t tree, path string) expression {
	if t.kind != list {
		return c.fail(path, "takes a list, not %s", t.kind)
	}
	var e fractional
	items, first := t.items, 0
	if len(items) > 0 && items[0].kind != list {
		// An explicit null stands for the bucket that is taken where none is given.
		if items[0].kind != null {
			e.bucket = c.expression(items[0], index(path, 0))
			if e.bucket.kinds()&(text|null|failed) == 0 {
				return c.fail(index(path, 0), "gives no string: keys are distributed by a string, such as "+
					`{"cat":[{"var":"$flagd.flagKey"},{"var":"targetingKey"}]}`)
			}
		}
		first = 1
	}
	if len(items) < 2 || len(items) == first {
		return c.fail(path, "takes at least two shares, such as [\"live\", 25], [\"shadow\", 75]")
	}
	var texts []string
	var weights []int
	total := 0
	for i := first; i < len(items); i++ {
		name, weight, ok := c.share(items[i], index(path, i))
		if !ok {
			continue
		}
		texts, weights, total = append(texts, name), append(weights, weight), total+weight
	}
	switch {
	case len(texts) < len(items)-first: // told already
	case total == 0:
		return c.fail(path, "all weights are 0: no key would get anything")
	case total > math.MaxInt32:
		return c.fail(path, "the weights come to %d, more than %d", total, math.MaxInt32)
	default:
		e.shares = weigh(texts, weights)
		return e
	}
	return literal{value{kind: null}}
}

// share compiles [text, weight], or [text], whose weight is 1.
func (c *compiler) share(t tree, path string) (name string, weight int, ok bool) {
	switch {
	case t.kind != list:
		c.fail(path, "a share is a list such as [\"live\", 25], not %s", t.kind)
		return "", 0, false
	case len(t.items) == 0, len(t.items) > 2:
		c.fail(path, "a share has a variant and a weight, not %d elements", len(t.items))
		return "", 0, false
	case t.items[0].kind != text:
		c.fail(index(path, 0), "a variant's name is a string, not %s: flagd evaluates nothing here", t.items[0].kind)
		return "", 0, false
	case len(t.items) == 1:
		return t.items[0].text, 1, true
	case t.items[1].kind != number:
		c.fail(index(path, 1), "a weight is a number, not %s: flagd evaluates nothing here", t.items[1].kind)
		return "", 0, false
	}
	w := t.items[1].num
	if w != math.Trunc(w) || w < 0 || w > math.MaxInt32 {
		c.fail(index(path, 1), "a weight is a whole number of at least 0, not %v", w)
		return "", 0, false
	}
	return t.items[0].text, int(w), true
}
