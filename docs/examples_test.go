package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// constructor is what something to be used begins with.
var constructor = regexp.MustCompile(`^(New|Open|Dial|Listen|Terminate|Originate|Echo)`)

// TestExamples: each class, and all else that a program makes for itself, is shown in
// a runnable Example of its package.
func TestExamples(t *testing.T) {
	for _, dir := range []string{"tlsio", "tlsio/server", "tlsio/server/certificate", "tlsio/jsonmsg", "tlsio/resolver", "tlsio/ntp", "tlsio/capture", "tlsio/nodecert",
		"firmware/endpoint", "firmware/relay", "firmware/static", "firmware/status", "firmware/hub", "firmware/syslog"} {
		made, shown := map[string]bool{}, map[string]bool{}
		fset := token.NewFileSet()
		files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				fn, ok := d.(*ast.FuncDecl)
				switch {
				case !ok || fn.Recv != nil:
				case !strings.HasSuffix(name, "_test.go"):
					if constructor.MatchString(fn.Name.Name) {
						made[fn.Name.Name] = true
					}
				case strings.HasPrefix(fn.Name.Name, "Example"):
					ast.Inspect(fn, func(n ast.Node) bool {
						if s, ok := n.(*ast.SelectorExpr); ok {
							shown[s.Sel.Name] = true
						}
						return true
					})
				}
			}
		}
		if len(made) == 0 {
			t.Errorf("%s makes nothing", dir)
		}
		for name := range made {
			if !shown[name] {
				t.Errorf("%s.%s is in no Example of its package", dir, name)
			}
		}
	}
}
