package flags_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/flags"
)

// definition makes one of its targeting.
func definition(targeting string) string {
	return `{"state":"ENABLED","variants":{"off":"off","shadow":"shadow","live":"live"},"defaultVariant":"shadow","targeting":` + targeting + `}`
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for _, test := range []struct{ name, definition, want string }{
		{"empty", ``, "the definition is empty"},
		{"no JSON", `{"state":`, "the definition is no JSON, at byte"},
		{"more behind it", `{} {}`, "the definition is no JSON, at byte"},
		{"no UTF-8", "{\"state\":\"\xff\"}", "the definition is not UTF-8"},
		{"too large", `"` + strings.Repeat("x", 1<<20) + `"`, "at most 1048576 are read"},
		{"too deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), "nests deeper than 64"},
		{"a list", `[]`, "is a list, not an object"},
		{"huge number", `{"state":1e999}`, "state: 1e999 is beyond"},
		{"twice", `{"state":"ENABLED","state":"DISABLED"}`, "state: is there twice"},
		{"misspelt", `{"stat":"ENABLED"}`, "stat: there is no such member: do you mean state?"},
		{"unknown", `{"rollout":1}`, "rollout: there is no such member; there are state, variants"},
		{"no state", `{}`, "state: is missing"},
		{"state", `{"state":"enabled"}`, `state: is ENABLED or DISABLED, not "enabled"`},
		{"state's kind", `{"state":true}`, "state: is ENABLED or DISABLED, not a boolean"},
		{"no variants", `{}`, "variants: is missing"},
		{"variants' kind", `{"variants":["live"]}`, "variants: is an object of stages by name, not a list"},
		{"empty variants", `{"variants":{}}`, "variants: has 0 variants"},
		{"a variant's name", `{"variants":{"a b":"live"}}`, "variants.a b: a variant's name is made of"},
		{"a variant's kind", `{"variants":{"on":true}}`, "variants.on: is a stage, as a string, not a boolean"},
		{"hold", `{"variants":{"on":"hold"}}`, "variants.on: hold is no stage to be at"},
		{"no stage", `{"variants":{"on":"lively"}}`, `variants.on: "lively" is no stage`},
		{"no default", `{"variants":{"on":"live"}}`, "defaultVariant: is missing"},
		{"default null", `{"variants":{"on":"live"},"defaultVariant":null}`, "defaultVariant: is missing"},
		{"default's kind", `{"variants":{"on":"live"},"defaultVariant":1}`, "defaultVariant: is a variant's name, not a number"},
		{"other default", `{"variants":{"on":"live"},"defaultVariant":"off"}`, `defaultVariant: there is no variant "off"`},
		{"metadata", `{"metadata":1}`, "metadata: is an object, not a number"},
		{"targeting's kind", definition(`["live"]`), "targeting: is an expression, not a list"},
		{"no variant", definition(`"lively"`), `targeting: gives "lively", which is no variant`},
		{"a stage is not a variant", strings.Replace(definition(`"live"`), `"live":"live"`, `"on":"live"`, 1), `targeting: gives "live", which is no variant`},
		{"two operators", definition(`{"if":[true,"live"],"or":[]}`), "targeting: an expression is an object with one member, its operator; this has 2"},
		{"no operator", definition(`{"if":[{},"live"]}`), "targeting.if[0]: an expression is an object with one member"},
		{"misspelt operator", definition(`{"if":[{"start_with":["a","b"]},"live"]}`), "targeting.if[0].start_with: there is no operator start_with: do you mean starts_with?"},
		{"sem_ver", definition(`{"if":[{"sem_ver":["1.0.0","=","1.0.0"]},"live"]}`), "targeting.if[0].sem_ver: the operator sem_ver is not supported; there are if,"},
		{"percent sign", definition(`{"if":[{"%":[1,2]},"live"]}`), "targeting.if[0].%: the operator % is not supported"},
		{"$ref", definition(`{"$ref":"rule"}`), "targeting.$ref: the operator $ref is not supported"},
		{"a list as a value", definition(`{"if":[["a"],"live"]}`), "targeting.if[0]: a list can't stand here"},
		{"short if", definition(`{"if":["live"]}`), "targeting.if: takes 2 or more arguments, not 1"},
		{"no list", definition(`{"if":{"==":[1,1]}}`), "targeting.if: takes a list of 2 or more arguments, not an object"},
		{"==", definition(`{"if":[{"==":[1,2,3]},"live"]}`), "targeting.if[0].==: takes 2 arguments, not 3"},
		{"nothing of a boolean", definition(`{"==":[{"var":"targetingKey"},"a"]}`), "targeting.==: gives true or false, and there is no variant true"},
		{"in a clause", definition(`{"if":[true,"live",false,"nope"]}`), `targeting.if[3]: gives "nope", which is no variant`},
		{"var's kind", definition(`{"var":1}`), "targeting.var: takes a name as a string, not a number"},
		{"whole context", definition(`{"var":""}`), "targeting.var: takes the name of one value"},
		{"whole context", definition(`{"var":[]}`), "targeting.var: takes a name, or a name and what stands in for it, not 0"},
		{"timestamp", definition(`{"if":[{">":[{"var":"$flagd.timestamp"},1]},"live"]}`), "targeting.if[0].>[0].var: $flagd.timestamp would move keys by the clock"},
		{"of $flagd", definition(`{"if":[{"var":"$flagd.other"},"live"]}`), "there is no $flagd.other: there are targetingKey"},
		{"of the key", definition(`{"if":[{"var":"targetingKey.x"},"live"]}`), "there is no targetingKey.x"},
		{"fallback that may fail", definition(`{"var":["a",{"cat":[{"var":"b"}]}]}`), "targeting.var[1]: may fail"},
		{"cat of booleans", definition(`{"if":[{"in":[{"cat":["a",true]},"b"]},"live"]}`), "targeting.if[0].in[0].cat[1]: gives no text"},
		{"cat of a number", definition(`{"cat":5}`), "targeting.cat: takes a string or a list"},
		{"in a number", definition(`{"if":[{"in":["a",5]},"live"]}`), "targeting.if[0].in[1]: in looks into a string or a list, not into a number"},
		{"a number in a string", definition(`{"if":[{"in":[5,"a5"]},"live"]}`), "targeting.if[0].in[0]: gives no string"},
		{"in with an expression", definition(`{"if":[{"in":["a",["b",{"var":"x"}]]},"live"]}`), "targeting.if[0].in[1][1]: a list to look into has strings"},
		{"starts_with", definition(`{"if":[{"starts_with":[{"var":"x"},5]},"live"]}`), "targeting.if[0].starts_with[1]: gives no string"},
		{"fractional's kind", definition(`{"fractional":{"live":25}}`), "targeting.fractional: takes a list, not an object"},
		{"one share", definition(`{"fractional":[["live",25]]}`), "targeting.fractional: takes at least two shares"},
		{"no share", definition(`{"fractional":["a"]}`), "targeting.fractional: takes at least two shares"},
		{"bucket", definition(`{"fractional":[5,["live",25],["off",75]]}`), "targeting.fractional[0]: gives no string"},
		{"a share's kind", definition(`{"fractional":["a",["live",25],"off"]}`), "targeting.fractional[2]: a share is a list"},
		{"a long share", definition(`{"fractional":[["live",25,1],["off",75]]}`), "targeting.fractional[0]: a share has a variant and a weight, not 3"},
		{"evaluated share", definition(`{"fractional":[[{"var":"x"},25],["off",75]]}`), "targeting.fractional[0][0]: a variant's name is a string, not an object"},
		{"evaluated weight", definition(`{"fractional":[["live",{"var":"x"}],["off",75]]}`), "targeting.fractional[0][1]: a weight is a number, not an object"},
		{"part of a weight", definition(`{"fractional":[["live",0.5],["off",75]]}`), "targeting.fractional[0][1]: a weight is a whole number of at least 0, not 0.5"},
		{"negative weight", definition(`{"fractional":[["live",-1],["off",75]]}`), "targeting.fractional[0][1]: a weight is a whole number"},
		{"no weight", definition(`{"fractional":[["live",0],["off",0]]}`), "targeting.fractional: all weights are 0"},
		{"too much weight", definition(`{"fractional":[["live",2147483647],["off",1]]}`), "the weights come to 2147483648"},
		{"a share's variant", definition(`{"fractional":["seed",["live",1],["on",1]]}`), `targeting.fractional[2][0]: there is no variant "on"`},
	} {
		_, err := flags.Parse(json.RawMessage(test.definition))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant: %s", test.name, err, test.want)
		}
	}
}

func TestAllThatIsWrongIsNamedTogether(t *testing.T) {
	_, err := flags.Parse(json.RawMessage(`{"state":"on","variants":{"a":"b"},"targeting":{"if":[{"nope":1},{"var":1}]}}`))
	if err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("want five lines, have:\n%v", err)
	}
}

func TestEvaluate(t *testing.T) {
	attributes := map[string]any{"tier": "gold", "age": 41, "roles": []string{"tester"}}
	for _, test := range []struct {
		targeting, key, want string
	}{
		{`null`, "a", "shadow STATIC"},
		{`{}`, "a", "shadow STATIC"},
		{`"live"`, "a", "live TARGETING_MATCH"},
		{`{"if":[{"==":[{"var":"tier"},"gold"]},"live"]}`, "a", "live TARGETING_MATCH"},
		{`{"if":[{"==":[{"var":"tier"},"silver"]},"live"]}`, "a", "shadow DEFAULT"},
		{`{"if":[{"in":[{"var":"targetingKey"},["a","b"]]},"live",{"starts_with":[{"var":"targetingKey"},"test-"]},"off"]}`, "b", "live TARGETING_MATCH"},
		{`{"if":[{"in":[{"var":"targetingKey"},["a","b"]]},"live",{"starts_with":[{"var":"targetingKey"},"test-"]},"off"]}`, "test-1", "off TARGETING_MATCH"},
		{`{"if":[{"in":[{"var":"targetingKey"},["a","b"]]},"live",{"starts_with":[{"var":"targetingKey"},"test-"]},"off"]}`, "c", "shadow DEFAULT"},
		{`{"if":[{"and":[{"<=":[18,{"var":"age"},65]},{"in":["tester",{"var":"roles"}]}]},"live","off"]}`, "a", "live TARGETING_MATCH"},
		{`{"if":[{"!":[{"or":[{"ends_with":[{"var":"targetingKey"},"!"]},{"var":"nope"}]}]},"live","off"]}`, "a", "live TARGETING_MATCH"},
		{`{"if":[{"===":["1",1]},"live",{"!==":["1",1]},"off"]}`, "a", "off TARGETING_MATCH"},
		{`{"var":"tier"}`, "a", "shadow ERROR"},
		{`{"if":[{"cat":[{"var":"roles"}]},"live"]}`, "a", "shadow ERROR"},
		{`{"var":["nope","live"]}`, "a", "live TARGETING_MATCH"},
	} {
		d, err := flags.Parse(json.RawMessage(definition(test.targeting)))
		if err != nil {
			t.Errorf("%s: %v", test.targeting, err)
			continue
		}
		got := d.Evaluate("orders", test.key, attributes)
		if text := string(got.Stage) + " " + string(got.Reason); text != test.want || (got.Reason == "ERROR") != (got.Err != nil) {
			t.Errorf("%s of %s: %s (%v), want %s", test.targeting, test.key, text, got.Err, test.want)
		}
	}
}

func TestDisabledIsOff(t *testing.T) {
	d, err := flags.Parse(json.RawMessage(strings.Replace(definition(`"live"`), "ENABLED", "DISABLED", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Evaluate("orders", "a", nil); got.Stage != flags.Off || got.Variant != "" || got.Reason != "DISABLED" {
		t.Errorf("%+v", got)
	}
	if stage, ok := d.Whole(); stage != flags.Off || !ok || d.Describe() != "off (disabled)" {
		t.Errorf("%s, %t, %s", stage, ok, d.Describe())
	}
}

func TestStages(t *testing.T) {
	for targeting, want := range map[string]string{
		`null`:                        "shadow",
		`"live"`:                      "live",
		`{"if":[{"var":"x"},"live"]}`: "shadow live",
		`{"if":[{"==":[{"var":"targetingKey"},"a"]},"live","off"]}`:       "off live",
		`{"if":[{"cat":[{"var":"x"}]},"live","off"]}`:                     "off shadow live", // an attribute may be what cat doesn't take
		`{"if":[{"var":"x"},"live",{"var":"x"},{"if":[1,"off","live"]}]}`: "off shadow live",
		`{"var":"x"}`:                           "off shadow live",
		`{"fractional":[["live",1],["off",1]]}`: "off shadow live", // three hashes are in no share
		`{"fractional":[["live",1],["off",0]]}`: "shadow live",
	} {
		d, err := flags.Parse(json.RawMessage(definition(targeting)))
		if err != nil {
			t.Errorf("%s: %v", targeting, err)
			continue
		}
		var got []string
		for _, stage := range d.Stages() {
			got = append(got, string(stage))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s gives %s, want %s", targeting, got, want)
		}
		if _, whole := d.Whole(); whole != (len(got) == 1) {
			t.Errorf("%s: whole is %t", targeting, whole)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(definition(`{"if":[{"in":[{"var":"targetingKey"},["a",1]]},"live",{"fractional":[{"cat":["x",{"var":["y",1]}]},["live",1],["off"]]}]}`), "a")
	f.Add(definition(`{"!":[{"and":[1,null,{"<":[1,{"var":"a.b"},"3"]}]}]}`), "")
	f.Add(string(flags.Share(flags.Live, 25)), "b")
	f.Fuzz(func(t *testing.T, text, key string) {
		d, err := flags.Parse(json.RawMessage(text))
		if err != nil {
			return
		}
		stages := d.Stages()
		if len(stages) == 0 || d.Describe() == "" {
			t.Fatalf("gives nothing: %s", text)
		}
		got := d.Evaluate("flag", key, map[string]any{"a": map[string]any{"b": 2}, "y": []any{key}, "z": true})
		if !got.Stage.Valid() || !slices.Contains(stages, got.Stage) {
			t.Fatalf("gives %+v, of %v: %s", got, stages, text)
		}
		if forward, backward := flags.Moves(d, d); forward || backward {
			t.Fatalf("moves to itself: %s", text)
		}
	})
}
