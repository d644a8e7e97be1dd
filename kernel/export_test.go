//go:build !arm

package kernel

// RunSteps goes through steps on simulated registers, and tells whether it came to their
// end.
func RunSteps(steps Steps, r Registers) bool {
	m := machine{registers: r}
	return m.setUp(steps)
}

// StepPolls is how often StepWait looks.
const StepPolls = stepPolls
