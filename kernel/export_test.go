//go:build !arm

package kernel

// RunSteps goes through steps on simulated registers.
func RunSteps(steps Steps, r Registers) {
	m := machine{registers: r}
	m.setUp(steps)
}

// StepPolls is how often StepWait looks.
const StepPolls = stepPolls
