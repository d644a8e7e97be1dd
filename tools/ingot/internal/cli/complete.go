package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ingot.dev/board/boards"
	"ingot.dev/certs"
	"ingot.dev/tools/bench"
	"ingot.dev/tools/ingot/internal/serial"
)

// completeBoards offers the names of boards, with what they are.
func completeBoards(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var list []string
	for _, name := range boards.Names() {
		if b, err := boards.ByName(name); err == nil {
			list = append(list, cobra.CompletionWithDesc(name, b.Title))
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeStore offers folders for the first argument, which is a certificate store, and
// then files or, to commands for one identity, the names that the store has.
func completeStore(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return nil, cobra.ShellCompDirectiveFilterDirs
	case !strings.Contains(cmd.Use, " IDENTITY"):
		return nil, cobra.ShellCompDirectiveDefault
	case len(args) > 1:
		return completeNothing(cmd, args, "")
	}
	fsys, _ := openStore(args[0])
	var list []string
	for _, id := range certs.Inspect(fsys, certs.Options{}).Identities {
		list = append(list, cobra.CompletionWithDesc(id.Name(), id.Leaf().Subject.String()))
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeNothing keeps the shell from offering files where none belong.
func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// What the values of flags are, by the flags' names, which mean the same in all commands.
// Those whose values are files need nothing, or say which in their command.
var (
	flagValues = map[string]func() []string{
		"algorithm": algorithms,
		"baud": func() (list []string) {
			for _, rate := range serial.Rates() {
				list = append(list, strconv.Itoa(rate))
			}
			return list
		},
		"color":  func() []string { return colors },
		"format": func() []string { return formats },
		"load":   bench.Workloads,
		"part":   bench.Parts,
	}
	flagFolders = []string{"certs", "chdir", "ingot"}
	flagFree    = []string{"as", "busy", "days", "env", "forward", "go-flag", "group", "ip", "kept", "limit", "module", "name", "packages", "port", "rate", "tags", "timeout"}
)

// addCompletions gives each command of the tree what the shell can't know: the values of
// flags that have a few, folders for certificate stores, and no files where none belong.
// For the rest, packages, Go files and images, files are right.
func addCompletions(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		values := flagValues[f.Name]
		switch {
		case f.Value.Type() == "bool":
		case f.Name == "board":
			cmd.RegisterFlagCompletionFunc(f.Name, completeBoards)
		case values != nil:
			cmd.RegisterFlagCompletionFunc(f.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return values(), cobra.ShellCompDirectiveNoFileComp
			})
		case slices.Contains(flagFolders, f.Name):
			cmd.MarkFlagDirname(f.Name)
		case slices.Contains(flagFree, f.Name):
			cmd.RegisterFlagCompletionFunc(f.Name, completeNothing)
		}
	})
	if cmd.Runnable() && cmd.ValidArgsFunction == nil {
		switch _, arg, takes := strings.Cut(cmd.Use, " "); {
		case !takes || arg == "NAME":
			cmd.ValidArgsFunction = completeNothing
		case strings.HasPrefix(arg, "DIR"):
			cmd.ValidArgsFunction = completeStore
		}
	}
	for _, child := range cmd.Commands() {
		addCompletions(child)
	}
}
