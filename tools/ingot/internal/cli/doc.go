// Package cli is the ingot command: everything but func main, so that tests
// can run a whole command line in process and look at what it printed.
//
// Each subcommand has a file of its own with a constructor
//
//	func newXxxCommand() *cobra.Command
//
// and [NewRootCommand] lists the constructors. A subcommand
//
//   - does its work in RunE with cmd.Context(), which ends at Ctrl-C;
//   - prints results to cmd.OutOrStdout() and progress or advice to
//     cmd.ErrOrStderr(), so that results can be piped;
//   - returns an error that says what failed, on what, and what to do. [Run]
//     prints it once. An error that carries a particular exit status for the
//     shell is an [ExitError].
package cli
