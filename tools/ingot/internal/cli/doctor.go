package cli

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
)

// minimumGo is the oldest Go release that builds images.
const minimumGo = "go1.26.3"

// need is something that the doctor looks for.
type need struct {
	Name     string `json:"name"`
	For      string `json:"for"`
	Required bool   `json:"required"`
	OK       bool   `json:"ok"`
	Found    string `json:"found,omitempty"` // version or path
	Fix      string `json:"fix,omitempty"`   // command to get it
}

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing on this machine, and how to get it",
		Long: `doctor looks for what the other commands use. What is required is missing when the
exit status is 3; the rest is for tests or for talking to a firmware.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			needs := examine(cmd.Context())
			missing := 0
			for _, n := range needs {
				if n.Required && !n.OK {
					missing++
				}
			}
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), needs); err != nil {
					return err
				}
			} else if err := printNeeds(cmd, needs); err != nil {
				return err
			}
			if missing > 0 {
				return &ExitError{Code: ExitNoTool}
			}
			return nil
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

func printNeeds(cmd *cobra.Command, needs []need) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, n := range needs {
		state, what := "ok", n.Found
		switch {
		case !n.OK && n.Required:
			state, what = "MISSING", n.Fix
		case !n.OK:
			state, what = "not there", n.Fix
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", state, n.Name, n.For, what)
	}
	return w.Flush()
}

// examine looks for everything.
func examine(ctx context.Context) []need {
	needs := []need{goNeed(ctx)}
	for _, name := range boards.Names() {
		needs = append(needs, qemuNeed(ctx, name))
	}
	for _, p := range []struct{ program, pkg, reason string }{
		{"make", "make", "the Makefile's short names"},
		{"git", "git", "versions in 'ingot version'"},
		{"openssl", "openssl", "talking to a firmware; tests"},
		{"curl", "curl", "tests"},
		{"gnutls-cli", "gnutls-bin", "tests"},
		{"node", "nodejs", "tests"},
	} {
		n := need{Name: p.program, For: p.reason, Fix: install(p.pkg)}
		if path, err := exec.LookPath(p.program); err == nil {
			n.OK, n.Found = true, path
		}
		needs = append(needs, n)
	}
	return needs
}

func goNeed(ctx context.Context) need {
	n := need{Name: "go", For: "building images", Required: true, Fix: "install Go 1.26 or later: https://go.dev/doc/install"}
	gocmd := os.Getenv("GO")
	if gocmd == "" {
		gocmd = "go"
	}
	out, err := exec.CommandContext(ctx, gocmd, "env", "GOVERSION").Output()
	if err != nil {
		return n
	}
	n.Found = strings.TrimSpace(string(out))
	n.OK = version.Compare(strings.Fields(n.Found + " ")[0], minimumGo) >= 0
	if !n.OK {
		n.Fix = n.Found + " is too old; " + n.Fix
	}
	return n
}

func qemuNeed(ctx context.Context, board string) need {
	b, err := boards.ByName(board)
	if err != nil {
		return need{Name: board, Required: true, Fix: err.Error()}
	}
	n := need{Name: b.QEMU.Binary, For: "running " + b.Name + " images", Required: true, Fix: install(b.QEMU.Package)}
	path, err := qemu.Find(board)
	if err != nil {
		if !errors.Is(err, qemu.ErrNoQEMU) {
			n.Fix = err.Error()
		}
		return n
	}
	// It may be there and too old to know the machine.
	out, err := exec.CommandContext(ctx, path, "-M", "help").Output()
	switch {
	case err != nil:
		n.Fix = fmt.Sprintf("%s -M help: %v", path, err)
	case !strings.Contains(string(out), "\n"+b.QEMU.Machine+" "):
		n.Fix = path + " has no machine " + b.QEMU.Machine + "; install version 7.2 or later"
	default:
		n.OK, n.Found = true, path
	}
	return n
}

// install is the command that gets a Debian package.
func install(pkg string) string {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "install " + pkg
	}
	sudo := "sudo "
	if os.Getuid() == 0 {
		sudo = ""
	}
	return sudo + "apt-get install " + pkg
}
