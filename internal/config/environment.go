package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Lookup gives the value of an environment variable and whether it is set; os.LookupEnv is one.
type Lookup func(name string) (string, bool)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} and ${NAME:-default} in text; as in a shell, the default also stands for an empty variable.
// $${ is a literal ${, and a $ before anything else is itself. Values are put in as they are, never expanded again.
// used says that text had a reference. Every bad reference is an error, named without any value.
func expand(text string, lookup Lookup) (out string, used bool, err error) {
	var b strings.Builder
	var bad []error
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), used, errors.Join(bad...)
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		used = true
		b.WriteString(text[:i])
		ref, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed {
			return "", used, errors.Join(append(bad, errors.New("a reference ${… has no closing }"))...)
		}
		text = rest
		name, fallback, hasDefault := strings.Cut(ref, ":-")
		if !variable.MatchString(name) {
			bad = append(bad, errors.New("a reference names no environment variable: it is ${NAME} or ${NAME:-default}"))
			continue
		}
		value, set := lookup(name)
		switch {
		case value != "":
			b.WriteString(value)
		case hasDefault:
			b.WriteString(fallback)
		case !set:
			bad = append(bad, fmt.Errorf(unsetVariable+"%s is not set", name))
		}
	}
}

// unsetVariable begins what is said of a variable that is not set.
const unsetVariable = "environment variable "
