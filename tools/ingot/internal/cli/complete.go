package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
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

// completeStore offers folders for the first argument, which is a certificate store.
func completeStore(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// completeNothing keeps the shell from offering files where none belong.
func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// addCompletions gives each command of the tree what the shell can't know: boards
// wherever there is --board, folders for certificate stores, and no files where no
// arguments are. For the rest, packages, Go files and images, files are right.
func addCompletions(cmd *cobra.Command) {
	if cmd.Flags().Lookup("board") != nil {
		cmd.RegisterFlagCompletionFunc("board", completeBoards)
	}
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
