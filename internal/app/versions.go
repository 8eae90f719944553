package app

import (
	"maps"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
)

// bindVersions binds the config's older versions to the contract, and reports all that is wrong with them.
func bindVersions(cfg *config.Config, c *contract.Contract) (*versions.Versions, fault.List) {
	var faults fault.List
	var definitions []versions.Definition
	for _, name := range cfg.VersionNames() {
		if cfg.Versions[name].Of != "" {
			definitions = append(definitions, definition(cfg, name, &faults))
		} else if !slices.ContainsFunc(c.Versions, func(v *contract.Version) bool { return string(v.Package) == name }) {
			faults.Add(cfg.Pos("versions."+name), "write the package that its .proto files declare", "the contract has no version %s", name)
		}
	}
	compiled, found := versions.Compile(c, definitions, func(op *contract.Operation) bool {
		return slices.ContainsFunc(cfg.Contract.Unserved, func(pattern string) bool {
			ok, err := path.Match(pattern, string(op.Name))
			return ok && err == nil
		})
	})
	faults.Append(found)
	return compiled, faults
}

// serves says whether an operation is answered: by SQL of its own, or as a translation of one that is.
func (p *Project) serves(op *contract.Operation) bool {
	return p.Program.Serves(p.answering(op).Name)
}

// definition gives one version as the config has it.
func definition(cfg *config.Config, name string, faults *fault.List) versions.Definition {
	conf, at := cfg.Versions[name], "versions."+name
	list := func(key string, of []string) []versions.Named {
		out := make([]versions.Named, len(of))
		for i, text := range of {
			out[i] = versions.Named{Name: text, At: cfg.Pos(config.Indexed(key, i))}
		}
		return out
	}
	d := versions.Definition{
		Version:      versions.Named{Name: name, At: cfg.Pos(at)},
		Of:           versions.Named{Name: conf.Of, At: cfg.Pos(at + ".of")},
		Untranslated: list(at+".untranslated", conf.Untranslated),
	}
	for _, op := range slices.Sorted(maps.Keys(conf.Operations)) {
		key := at + ".operations." + op
		d.Operations = append(d.Operations, versions.OperationRule{
			Operation: versions.Named{Name: op, At: cfg.Pos(key)},
			To:        versions.Named{Name: conf.Operations[op].To, At: cfg.Pos(key + ".to")},
		})
	}
	for _, text := range slices.Sorted(maps.Keys(conf.Messages)) {
		key, message := at+".messages."+text, conf.Messages[text]
		pair, ok := pairOf(text, cfg.Pos(key), faults)
		if !ok {
			continue
		}
		rule := versions.MessageRule{Pair: pair, Unset: list(key+".unset", message.Unset), Ignored: list(key+".ignored", message.Ignored)}
		for _, field := range slices.Sorted(maps.Keys(message.Fields)) {
			source := key + ".fields." + field
			begins, exact := cfg.ValuePos(source)
			rule.Fields = append(rule.Fields, versions.FieldRule{
				Target: versions.Named{Name: field, At: cfg.Pos(source)},
				Source: versions.Named{Name: message.Fields[field], At: begins}, Exact: exact,
			})
		}
		d.Messages = append(d.Messages, rule)
	}
	for _, text := range slices.Sorted(maps.Keys(conf.Enums)) {
		key, enum := at+".enums."+text, conf.Enums[text]
		pair, ok := pairOf(text, cfg.Pos(key), faults)
		if !ok {
			continue
		}
		rule := versions.EnumRule{Pair: pair}
		for _, value := range slices.Sorted(maps.Keys(enum.Values)) {
			source := key + ".values." + value
			begins, _ := cfg.ValuePos(source)
			rule.Values = append(rule.Values, versions.ValueRule{
				Source: versions.Named{Name: value, At: cfg.Pos(source)}, Target: versions.Named{Name: enum.Values[value], At: begins},
			})
		}
		d.Enums = append(d.Enums, rule)
	}
	return d
}

// notice gives what callers of an operation are told of its version.
func notice(cfg *config.Config) func(*contract.Operation) edge.Notice {
	return func(op *contract.Operation) edge.Notice {
		v := cfg.Versions[string(op.Descriptor.ParentFile().Package())]
		return noticeOf(&v)
	}
}

func noticeOf(v *config.Version) edge.Notice {
	return edge.Notice{Deprecated: v.Deprecated.Time, Sunset: v.Sunset.Time, Link: v.Link, Refused: v.AfterSunset == config.RefuseAfterSunset}
}

// pairOf reads "TARGET from SOURCE".
func pairOf(text string, at fault.Pos, faults *fault.List) (versions.Pair, bool) {
	target, source, ok := strings.Cut(text, " from ")
	if !ok || strings.Contains(source, " ") {
		faults.Add(at, "write what is made and what it is made of, such as shop.v1.Order from shop.v2.Order", "%q names one message or enum, not two", text)
		return versions.Pair{}, false
	}
	return versions.Pair{Target: protoreflect.FullName(target), Source: protoreflect.FullName(source), At: at}, true
}
