package preflight

import (
	"fmt"
	"strings"
)

// quote writes an identifier.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// qualified writes a table's name for people and statements alike: bare where no quoting is needed.
func qualified(schema, name string) string { return bare(schema) + "." + bare(name) }

func bare(name string) string {
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
		case r >= '0' && r <= '9' && i > 0:
		default:
			return quote(name)
		}
	}
	if name == "" {
		return quote(name)
	}
	return name
}

// quoteAccount writes user@host, as CURRENT_USER() gives it, for a GRANT.
func quoteAccount(account string) string {
	user, host := account, ""
	if i := strings.LastIndexByte(account, '@'); i >= 0 {
		user, host = account[:i], account[i+1:]
	}
	if host == "" {
		return quote(user)
	}
	return quote(user) + "@" + quote(host)
}

// onSchema writes a schema for a GRANT, where _ and % would be wildcards.
func onSchema(name string) string {
	return quote(strings.NewReplacer(`_`, `\_`, `%`, `\%`).Replace(name)) + ".*"
}

// list names up to most things: "a, b and 37 more".
func list(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s … and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// lines gives up to most statements, one a line.
func lines(statements []string, most int) string {
	if len(statements) <= most {
		return strings.Join(statements, "\n")
	}
	return fmt.Sprintf("%s\n-- … and %d more like these", strings.Join(statements[:most], "\n"), len(statements)-most)
}

// count gives "1 table", "2 tables".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
