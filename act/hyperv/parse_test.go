package hyperv

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

// grammar is a package of npm with tree-sitter's grammar of PowerShell, built.
const grammar = "@vscode/tree-sitter-wasm"

const grammarVersion = "0.3.1"

// TestScriptsAreGrammatical parses the scripts by a grammar of PowerShell.
// Whether its commands exist and do what is wanted, only Windows can tell.
func TestScriptsAreGrammatical(t *testing.T) {
	peers.Need(t, "node", "npm")
	type text struct {
		Name string `json:"name"`
		Text string `json:"text"`
	}
	list := []text{{"bootstrap", bootstrap}}
	for _, s := range scripts {
		list = append(list, text{s.name, s.text})
	}
	// Scripts with a mistake are found, so that the check is one.
	broken := []text{{"no brace", "try { Get-VM "}, {"no parenthesis", "param($a\nGet-VM"}, {"no string", "throw 'gone"}, {"no pipe", "Get-VM | | Stop-VM"}}
	input, err := json.Marshal(append(list, broken...))
	if err != nil {
		t.Fatal(err)
	}
	// Else node spends many seconds on optimising a grammar that is used once.
	cmd := exec.Command("node", "--liftoff-only", filepath.Join("testdata", "parse.cjs"), grammarDir(t))
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	var bad []string
	if err != nil || json.Unmarshal(out, &bad) != nil {
		t.Fatalf("parse: %v: %s", err, out)
	}
	for _, s := range list {
		if slices.Contains(bad, s.Name) {
			t.Errorf("script %s is not grammatical", s.Name)
		}
	}
	for _, s := range broken {
		if !slices.Contains(bad, s.Name) {
			t.Errorf("the grammar lets a script with %s pass", s.Name)
		}
	}
}

// grammarDir installs the grammar into the user's cache.
func grammarDir(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "katprep-powershell-"+grammarVersion)
	pkg := filepath.Join(dir, "node_modules", filepath.FromSlash(grammar))
	if _, err := os.Stat(filepath.Join(pkg, "package.json")); err == nil {
		return pkg
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, grammar+"@"+grammarVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		peers.Missing(t, fmt.Sprintf("npm install %s: %v: %s", grammar, err, out))
	}
	return pkg
}

// TestScriptsParse parses and compiles the scripts with PowerShell itself,
// wherever it is installed. No test machine of the project has it.
func TestScriptsParse(t *testing.T) {
	pwsh, err := exec.LookPath("pwsh")
	if err != nil {
		t.Skip("PowerShell is not installed")
	}
	for _, s := range append(scripts, script{name: "bootstrap", text: bootstrap}) {
		cmd := exec.Command(pwsh, "-NoProfile", "-NonInteractive", "-Command", "$null=[ScriptBlock]::Create([Console]::In.ReadToEnd())")
		cmd.Stdin = strings.NewReader(s.text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", s.name, err, out)
		}
	}
}
