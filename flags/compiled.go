package flags

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/open-feature/go-sdk/openfeature"
)

// Moving is the reason of an evaluation that gives Hold: a shift moves the key.
const Moving openfeature.Reason = "MOVING"

// Compiled is a Flag that decides. It does not change, and is safe for concurrent use.
type Compiled struct {
	flag     Flag
	from, to *Definition
	// steady says that from and to are the same.
	steady  bool
	unkeyed Decision
	// metadata is what the provider gives with a decision, by what it reads from and whether it is mixed.
	metadata [2][2]openfeature.FlagMetadata
}

// Compile checks a flag and makes it ready to decide. Its definitions may look at the targeting key and at the flag's key
// only: what else a caller says would move a key without a shift.
func Compile(flag Flag) (*Compiled, error) {
	c, err := compile(flag)
	if err != nil {
		return nil, fmt.Errorf("flag %q, version %d: %w", flag.Capability, flag.Version, err)
	}
	return c, nil
}

func compile(flag Flag) (*Compiled, error) {
	switch {
	case flag.Capability == "" || !utf8.ValidString(flag.Capability):
		return nil, errors.New("a capability's name is UTF-8 and not empty")
	case flag.Version == 0 || flag.Version > math.MaxInt64:
		return nil, errors.New("versions count from 1, and have 63 bits")
	case flag.Phase != Steady && flag.Phase != HoldLegacy && flag.Phase != HoldTarget:
		return nil, fmt.Errorf("there is no phase %q; there are %s, %s, %s", flag.Phase, Steady, HoldLegacy, HoldTarget)
	}
	c := &Compiled{flag: flag}
	var err error
	if c.from, err = keyed(flag.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if c.to, err = keyed(flag.To); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	c.steady = c.from.Equal(c.to)
	if flag.Phase == Steady && !c.steady {
		return nil, fmt.Errorf("from and to differ (%s, %s), which they can't while no shift is under way", c.from.Describe(), c.to.Describe())
	}
	c.unkeyed = c.withoutKey()
	for _, side := range []Side{Legacy, Modern} {
		for i, mixed := range []bool{false, true} {
			c.metadata[side][i] = openfeature.FlagMetadata{
				"version": int64(flag.Version), "reads": side.String(), "mixed": mixed,
			}
		}
	}
	return c, nil
}

// keyed parses a definition that looks at keys only.
func keyed(def []byte) (*Definition, error) {
	d, err := Parse(def)
	if err != nil {
		return nil, err
	}
	if len(d.attributes) > 0 {
		return nil, fmt.Errorf("the targeting looks at %q: a capability's flag goes by targetingKey and $flagd.flagKey only, so that a key moves by shifts and by nothing else", d.attributes[0])
	}
	return d, nil
}

// Flag gives what was compiled.
func (c *Compiled) Flag() Flag { return c.flag }

// Decide says what the flag says of a key.
func (c *Compiled) Decide(key string) Decision {
	decision, _ := c.decide(key)
	return decision
}

func (c *Compiled) decide(key string) (Decision, Evaluation) {
	to := c.to.Evaluate(c.flag.Capability, key, nil)
	if c.steady {
		return c.at(to.Stage), to
	}
	from := c.from.Evaluate(c.flag.Capability, key, nil)
	if from.Stage.Authority() == to.Stage.Authority() {
		return c.at(to.Stage), to
	}
	return c.held(to.Stage), Evaluation{Stage: Hold, Variant: string(Hold), Reason: Moving}
}

// at decides for a key that is not moved.
func (c *Compiled) at(stage Stage) Decision {
	return Decision{Stage: stage, Reads: stage.Authority(), Version: c.flag.Version}
}

// held decides for a key that is moved to a stage.
func (c *Compiled) held(to Stage) Decision {
	d := Decision{Stage: Hold, Reads: Legacy, Version: c.flag.Version}
	if c.flag.Phase == HoldTarget {
		d.Reads = to.Authority()
	}
	return d
}

// DecideUnkeyed says what the flag says of calls without a key. They are at the lowest stage that keys can have. While
// keys are on both sides, before the shift or behind it, the decision is Mixed.
func (c *Compiled) DecideUnkeyed() Decision { return c.unkeyed }

func (c *Compiled) withoutKey() Decision {
	from, to := c.from.Stages(), c.to.Stages()
	var d Decision
	if from[0].Authority() == to[0].Authority() {
		d = c.at(to[0])
	} else {
		d = c.held(to[0])
	}
	if mixed(from) || mixed(to) {
		d.Mixed, d.Reads = true, Legacy
	}
	return d
}

// mixed says whether stages, in their order, are on both sides.
func mixed(stages []Stage) bool {
	return stages[0].Authority() != stages[len(stages)-1].Authority()
}
