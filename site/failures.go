package site

import (
	"fmt"

	"github.com/stdevel/katprep"
)

// failureSums count the failed and unconfirmed steps of a run: a run that was
// repeated has more entries of failures than steps that failed.
type failureSums struct {
	Steps   int // each once
	Entries int // in the journal
	Later   int // steps that are confirmed, or skipped, since
}

type failedStep struct {
	host katprep.HostID
	step string
	seq  int // of an entry that is of no step
}

func stepOf(e *katprep.Entry) failedStep {
	if e.Step == "" {
		return failedStep{seq: e.Seq}
	}
	return failedStep{host: e.HostID, step: e.Step}
}

// sumFailures counts by steps, as the table of stages does.
func (v *runView) sumFailures() failureSums {
	s, last := failureSums{Entries: len(v.Failures)}, map[failedStep]katprep.Event{}
	for i := range v.Record.Journal {
		if e := &v.Record.Journal[i]; e.Event != katprep.EventNote {
			last[stepOf(e)] = e.Event
		}
	}
	seen := map[failedStep]bool{}
	for i := range v.Failures {
		k := stepOf(&v.Failures[i].Entry)
		if seen[k] {
			continue
		}
		seen[k] = true
		if ev := last[k]; ev == katprep.EventDone || ev == katprep.EventSkipped {
			s.Later++
		}
	}
	s.Steps = len(seen)
	return s
}

// FailedText says how many steps failed or are not confirmed.
func (v *runView) FailedText() string {
	s := v.sumFailures()
	text := plural(s.Steps, "step", "steps") + " failed or not confirmed"
	if s.Entries > s.Steps {
		text += fmt.Sprintf(" (%d entries in the journal)", s.Entries)
	}
	if s.Later > 0 {
		text += fmt.Sprintf(", %d of them confirmed or skipped later", s.Later)
	}
	return text
}
