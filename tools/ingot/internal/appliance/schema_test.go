package appliance

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"ingot.dev/firmware/syslog"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

// TestReference: the page in docs is what the schema says now.
func TestReference(t *testing.T) {
	const file = "../../../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(file, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Reference() {
		t.Errorf("%s is out of date; run go test ./tools/ingot/internal/appliance -run TestReference -update", file)
	}
}

// everyKey calls f for each key of the schema.
func everyKey(f func(where string, k Key)) {
	var each func(where string, keys []Key)
	each = func(where string, keys []Key) {
		for _, k := range keys {
			f(where+" "+k.Name, k)
			each(where+" "+k.Name, k.Keys)
		}
	}
	for _, table := range Tables() {
		each(table.Name, table.Keys)
	}
	for _, kind := range Kinds() {
		each(kind.Name, kind.Keys)
	}
}

// TestSchema: each key is described, and its example and its default are good values.
func TestSchema(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	dir := t.TempDir()
	everyKey(func(where string, k Key) {
		switch {
		case !form.MatchString(k.Name):
			t.Errorf("%s: its name has another form than the others", where)
		case !strings.HasSuffix(k.Doc, ".") || forms[k.Type] == "" || k.field == "":
			t.Errorf("%s: not described: %q, %q, %q", where, k.Doc, forms[k.Type], k.field)
		case k.Required == (k.Default != ""):
			t.Errorf("%s: has to be required or have a default", where)
		case (k.Type == Count || k.Type == Number) && (k.Unit == "" || k.Max <= k.Min):
			t.Errorf("%s: has no unit or no range", where)
		}
		values := []string{k.Example}
		if isValue.MatchString(k.Default) {
			values = append(values, k.Default)
		}
		for _, v := range values {
			n, problem := parse([]byte(k.Name + " = " + v + "\n"))
			if problem != nil {
				t.Errorf("%s = %s: %v", where, v, problem)
				continue
			}
			if k.Type == Keys {
				continue // they are themselves described
			}
			if k.Type == Folder && k.Required {
				continue // there is no such folder here
			}
			if _, bad := k.decode(n.keys[0].value, dir); len(bad) > 0 {
				t.Errorf("%s = %s is not accepted: %v", where, v, bad)
			}
		}
	})
}

// TestEveryOption: what a service has options for can be configured.
func TestEveryOption(t *testing.T) {
	log := Kind{Name: "syslog", Keys: collecting(), maker: maker{options: func() any { return new(syslog.Options) }}}
	for _, kind := range append(Kinds(), log) {
		var each func(typ reflect.Type, keys []Key, path string)
		each = func(typ reflect.Type, keys []Key, path string) {
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Anonymous {
					each(f.Type, keys, path)
					continue
				}
				var key *Key
				for j := range keys {
					if keys[j].field == f.Name {
						key = &keys[j]
					}
				}
				about := path == "" && onlyTLS(f.Name)
				switch {
				case path == "" && (f.Name == "Name" || f.Name == "Console"): // they are nobody's choice
				case key == nil && kind.plain && about: // the listener speaks none
				case key == nil:
					t.Errorf("%s: nothing sets the option %s%s", kind.Name, path, f.Name)
				case key.Type == Keys:
					each(f.Type, key.Keys, path+f.Name+".")
				}
			}
			for _, k := range keys {
				if _, ok := typ.FieldByName(k.field); !ok && path != "" {
					t.Errorf("%s: the key %s sets no option", kind.Name, k.Name)
				}
			}
		}
		typ := reflect.TypeOf(kind.options()).Elem()
		each(typ, kind.Keys, "")
		for _, k := range kind.Keys {
			if _, ok := typ.FieldByName(k.field); !ok {
				t.Errorf("%s: the key %s sets no option", kind.Name, k.Name)
			}
		}
	}
}

func onlyTLS(field string) bool {
	for _, k := range secured() {
		if k.field == field {
			return true
		}
	}
	return false
}
