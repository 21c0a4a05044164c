package katprep_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stdevel/katprep"

// A rule says what packages may import. Patterns end in "/..." for a tree.
type rule struct {
	name  string
	pkgs  []string // that it is about
	not   []string // except these
	deny  []string // imports that are forbidden
	allow []string // if set, the only imports of this module and of others that are allowed (std is always)
}

// rules is the map of docs/architecture.md, held by this test.
var rules = []rule{
	{name: "the words import the standard library only", pkgs: []string{module}, allow: []string{}},
	{name: "versions import the standard library only", pkgs: []string{module + "/internal/vers"}, allow: []string{}},
	{name: "diff is pure", pkgs: []string{module + "/diff"},
		allow: []string{module, module + "/internal/vers", "github.com/sergi/go-diff/diffmatchpatch"},
		deny:  []string{"os", "net", "net/http", "io/fs", "log/slog", "os/exec"}},
	{name: "render knows no archive and computes nothing", pkgs: []string{module + "/render", module + "/render/..."},
		deny: []string{module + "/internal/archive", module + "/diff", module + "/site", "net/http"}},
	{name: "the site reads through its own interface", pkgs: []string{module + "/site", module + "/site/..."},
		deny: []string{module + "/internal/archive", "net/http"}},
	{name: "collectors only read, and return values", pkgs: []string{module + "/collect", module + "/collect/..."},
		deny: []string{module + "/act", module + "/act/...", module + "/internal/archive", module + "/render", module + "/site"}},
	{name: "actors store nothing themselves", pkgs: []string{module + "/act", module + "/act/..."},
		deny: []string{module + "/internal/archive", module + "/render", module + "/site"}},
	{name: "only the archive knows Git", pkgs: []string{module + "/..."}, not: []string{module + "/internal/archive", module + "/internal/archive/..."},
		deny: []string{"github.com/go-git/..."}},
	{name: "only the command knows kong", pkgs: []string{module + "/..."}, not: []string{module + "/cmd/katprep"},
		deny: []string{"github.com/alecthomas/kong"}},
	{name: "test peers are for tests", pkgs: []string{module + "/cmd/..."},
		deny: []string{module + "/internal/peers", module + "/internal/lab", module + "/internal/monlab", module + "/internal/rfc3161/tsa"}},
	{name: "nobody imports a command", pkgs: []string{module + "/..."}, deny: []string{module + "/cmd/..."}},
}

type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...").Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %s", ee.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []goPackage
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if tree, ok := strings.CutSuffix(p, "/..."); ok {
			return pkg == tree || strings.HasPrefix(pkg, tree+"/")
		}
		return p == pkg
	})
}

func isStd(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".")
}

func TestWhoMayImportWhom(t *testing.T) {
	pkgs := listPackages(t)
	if len(pkgs) < 5 {
		t.Fatalf("only %d packages found", len(pkgs))
	}
	for _, r := range rules {
		for _, p := range pkgs {
			if !matches(r.pkgs, p.ImportPath) || matches(r.not, p.ImportPath) {
				continue
			}
			for _, imp := range p.Imports {
				if matches(r.deny, imp) || r.allow != nil && !isStd(imp) && !matches(r.allow, imp) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, r.name)
				}
			}
		}
	}
}

// TestBackendsDoNotImportEachOther: what two need is an internal package.
func TestBackendsDoNotImportEachOther(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, seam := range []string{"collect", "act"} {
			tree := module + "/" + seam + "/"
			own, ok := strings.CutPrefix(p.ImportPath, tree)
			own, _, _ = strings.Cut(own, "/")
			if !ok || own == "all" || strings.HasSuffix(own, "test") {
				continue
			}
			for _, imp := range p.Imports {
				other, ok := strings.CutPrefix(imp, tree)
				other, _, _ = strings.Cut(other, "/")
				if ok && other != own {
					t.Errorf("%s imports %s", p.ImportPath, imp)
				}
			}
		}
	}
}

// eachFile parses every Go file of the module, tests left out.
func eachFile(t *testing.T, visit func(path string, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(path, fset, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHouseStyle holds the sizes and habits that keep the code readable.
func TestHouseStyle(t *testing.T) {
	badName := regexp.MustCompile(`^(util|utils|common|helper|helpers|misc)$`)
	eachFile(t, func(path string, fset *token.FileSet, f *ast.File) {
		if badName.MatchString(f.Name.Name) {
			t.Errorf("%s: package %s says nothing", path, f.Name.Name)
		}
		if n := fset.Position(f.End()).Line; n > 700 {
			t.Errorf("%s: %d lines are more than one room", path, n)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: init() is state that nobody asked for", path)
			}
			if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line; n > 100 {
				t.Errorf("%s: %s has %d lines", path, fn.Name.Name, n)
			}
		}
	})
}

// TestExportedNamesAreDocumented covers functions, methods of exported types
// and types; constants and variables have a comment at their group.
func TestExportedNamesAreDocumented(t *testing.T) {
	eachFile(t, func(path string, fset *token.FileSet, f *ast.File) {
		if f.Name.Name == "main" {
			return
		}
		for _, d := range f.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no comment", path, name)
			}
		}
	})
}

func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d.Recv)) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
				names = append(names, ts.Name.Name)
			}
		}
	}
	return names
}

func exportedReceiver(r *ast.FieldList) bool {
	e := r.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// TestOnlyTheCommandTouchesTheProcess: arguments, environment and exit are
// passed in, so that everything below can be tested and embedded.
func TestOnlyTheCommandTouchesTheProcess(t *testing.T) {
	forbidden := map[string]bool{"Args": true, "Exit": true, "Getenv": true, "Environ": true, "LookupEnv": true}
	eachFile(t, func(path string, fset *token.FileSet, f *ast.File) {
		if strings.HasPrefix(path, "cmd"+string(filepath.Separator)) || testOnly(path) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && forbidden[sel.Sel.Name] {
					t.Errorf("%s: os.%s belongs into cmd/katprep", fset.Position(sel.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	})
}

// testOnly reports whether a file belongs to a package for tests: one of
// internal/peers, internal/…lab and …test.
func testOnly(path string) bool {
	for dir := range strings.SplitSeq(filepath.ToSlash(filepath.Dir(path)), "/") {
		if dir == "peers" || strings.HasSuffix(dir, "lab") || strings.HasSuffix(dir, "test") {
			return true
		}
	}
	return false
}

// TestEveryDependencyHasItsReason: each direct requirement of go.mod is named
// in docs/dependencies.md.
func TestEveryDependencyHasItsReason(t *testing.T) {
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.Contains(line, "// indirect") || !strings.Contains(fields[0], ".") {
			continue
		}
		if !bytes.Contains(doc, []byte("`"+fields[0]+"`")) {
			t.Errorf("docs/dependencies.md does not say why %s is needed", fields[0])
		}
	}
}
