package cli

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/qemu"
)

// minimumGo is the oldest Go release that builds images.
const minimumGo = "go1.26.3"

// needList is what 'doctor --json' prints.
type needList struct {
	Needs []need `json:"needs"`
}

// need is something that the doctor looks for.
type need struct {
	Name     string `json:"name"`
	For      string `json:"for"`
	Required bool   `json:"required"`
	OK       bool   `json:"ok"`
	Found    string `json:"found,omitempty"` // version or path
	Fix      string `json:"fix,omitempty"`   // how to get it
}

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing on this machine, and how to get it",
		Long: `doctor looks for what the other commands use, tries it, and prints what mends
what is missing: the command, on Debian and systems like it. What is required is missing
when the exit status is 3; the rest is for tests or for talking to a firmware.`,
		Example: `  ingot doctor
  ingot doctor --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			needs := examine(cmd.Context())
			missing := 0
			for _, n := range needs {
				if n.Required && !n.OK {
					missing++
				}
			}
			var sick error
			if missing > 0 {
				sick = fmt.Errorf("%d of what is required is missing or not as it should be; what mends it is above", missing)
			}
			list := needList{needs}
			switch {
			case asJSON && sick != nil:
				return &ExitError{Code: ExitNoTool, Err: sick, Result: list}
			case asJSON:
				return answer(cmd, list)
			}
			if err := printNeeds(cmd, needs); err != nil {
				return err
			}
			if sick != nil {
				return &ExitError{Code: ExitNoTool, Err: sick}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "\nEverything that is required is there.")
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
	if needs[0].OK {
		needs = append(needs, folderNeed("build cache", "not building everything each time", goEnv(ctx, "GOCACHE"), "GOCACHE"),
			folderNeed("module cache", "gVisor and other modules", goEnv(ctx, "GOMODCACHE"), "GOMODCACHE"))
	}
	needs = append(needs, folderNeed("temporary folder", "building images", os.TempDir(), "TMPDIR"))
	// Boards that one machine of QEMU stands for need it once.
	machines := map[[2]string]int{}
	for _, name := range boards.Names() {
		b, err := boards.ByName(name)
		if err != nil {
			continue
		}
		machine := [2]string{b.QEMU.Binary, b.QEMU.Machine}
		if i, seen := machines[machine]; seen {
			needs[i].For += ", " + name
			continue
		}
		machines[machine] = len(needs)
		needs = append(needs, qemuNeed(ctx, b))
	}
	for _, p := range []struct{ program, pkg, reason string }{
		{"make", "make", "the Makefile's short names"},
		{"git", "git", "versions in 'ingot version'"},
		{"openssl", "openssl", "talking to a firmware; tests"},
		{"gdb-multiarch", "gdb-multiarch", "'ingot debug'"},
		{"curl", "curl", "tests"},
		{"gnutls-cli", "gnutls-bin", "tests"},
		{"node", "nodejs", "tests"},
		{"tshark", "tshark", "tests"},
		{"ssh-keygen", "openssh-client", "tests"},
		{"imx_usb", "imx-usb-loader", "'ingot flash --usb'"},
		{"mkimage", "u-boot-tools", "tests"},
	} {
		n := need{Name: p.program, For: p.reason, Fix: install(p.pkg)}
		if path, err := exec.LookPath(p.program); err == nil {
			n.OK, n.Found = true, path
		}
		needs = append(needs, n)
	}
	return needs
}

// goCommand is the go command that builds images.
func goCommand() string {
	if name := os.Getenv("GO"); name != "" { // as in: make image GO=go1.27.4
		return name
	}
	return "go"
}

// goEnv is a setting of the go command; empty if it can't tell.
func goEnv(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, goCommand(), "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func goNeed(ctx context.Context) need {
	n := need{Name: "go", For: "building images", Required: true, Fix: installGo()}
	out, err := exec.CommandContext(ctx, goCommand(), "env", "GOVERSION").Output()
	if err != nil {
		// It may be there, and not willing: GOTOOLCHAIN=local with a go.mod that wants
		// a later one, or one that can't be downloaded.
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			said := strings.TrimSpace(string(failed.Stderr))
			last := said[strings.LastIndexByte(said, '\n')+1:]
			n.Fix = last + "; unset GOTOOLCHAIN; GOTOOLCHAIN=local go env -u GOTOOLCHAIN; if that doesn't help: " + n.Fix
		}
		return n
	}
	n.Found = strings.TrimSpace(string(out))
	n.OK = version.Compare(strings.Fields(n.Found + " ")[0], minimumGo) >= 0
	if !n.OK {
		n.Fix = n.Found + " is too old; " + n.Fix
	}
	return n
}

// installGo is the command that gets Go (https://go.dev/doc/install).
func installGo() string {
	release := runtime.Version()
	if !version.IsValid(release) || version.Compare(release, minimumGo) < 0 {
		release = minimumGo
	}
	if runtime.GOOS == "windows" {
		return "install Go 1.26 or later: https://go.dev/doc/install"
	}
	return fmt.Sprintf("curl -fsSL https://go.dev/dl/%s.%s-%s.tar.gz | %star -C /usr/local -xz; export PATH=/usr/local/go/bin:$PATH", release, runtime.GOOS, runtime.GOARCH, sudo())
}

// folderNeed tries whether a folder can be written.
func folderNeed(name, reason, dir, variable string) need {
	n := need{Name: name, For: reason, Required: true, Found: dir}
	fix := func(why string) need {
		n.Fix = fmt.Sprintf("%s; export %s=FOLDER, one with room that you may write", why, variable)
		return n
	}
	if dir == "" || dir == "off" {
		return fix("there is none")
	}
	// A fresh machine has no caches yet: the first build makes them. Nobody makes a folder
	// for temporary files.
	if variable != "TMPDIR" {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fix(err.Error())
		}
	}
	f, err := os.CreateTemp(dir, ".ingot-doctor-*")
	if err != nil {
		return fix(dir + ": " + cause(err).Error())
	}
	_, err = f.Write(make([]byte, 1<<20))
	err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	if err != nil {
		return fix(dir + ": " + cause(err).Error())
	}
	n.OK = true
	return n
}

func qemuNeed(ctx context.Context, b boards.Board) need {
	n := need{Name: b.QEMU.Binary, For: "running images for " + b.Name, Required: true, Fix: install(b.QEMU.Package)}
	path, err := qemu.Find(b.Name)
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

// install is the command that gets a Debian package, or that package's name for where
// there is no such command.
func install(pkg string) string {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "install it; Debian's package is " + pkg
	}
	return sudo() + "apt-get install " + pkg
}

// sudo comes before what only root may do.
func sudo() string {
	if os.Getuid() == 0 {
		return ""
	}
	return "sudo "
}
