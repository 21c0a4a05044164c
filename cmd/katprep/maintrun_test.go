package main

import (
	"io"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/term"
)

// TestThisMachineIsMeant asks the guard alone: a test that ran the command
// would patch the machine it runs on if the guard were broken.
func TestThisMachineIsMeant(t *testing.T) {
	s := streams{strings.NewReader(""), io.Discard, io.Discard}
	a := newApp(t.Context(), &cli{}, term.New(term.Options{Out: io.Discard, Err: io.Discard}), s, nil)
	execute := stageRun{stages: []katprep.Stage{katprep.StagePrepare, katprep.StageExecute}}
	err := a.meansThisMachine(execute)
	if katprep.KindOf(err) != katprep.Invalid || !strings.Contains(katprep.HintOf(err), "--yes") {
		t.Errorf("without a configuration: %v", err)
	}
	execute.yes = true
	if err := a.meansThisMachine(execute); err != nil {
		t.Errorf("with --yes: %v", err)
	}
	if err := a.meansThisMachine(stageRun{stages: []katprep.Stage{katprep.StageVerify}}); err != nil {
		t.Errorf("a stage that patches nothing: %v", err)
	}
	a.cfgPath = "katprep.yml"
	execute.yes = false
	if err := a.meansThisMachine(execute); err != nil {
		t.Errorf("with a configuration: %v", err)
	}
}
