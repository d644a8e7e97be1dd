// Package transcript reads the terminal sessions in documents, and runs them: so that
// what a document tells its reader to type is what a test has typed.
//
// A session is a fenced block whose info string begins with "console":
//
//	```console
//	$ ingot certs init certs
//	Made development certificates
//	```
//
// Lines that begin with "$ " are commands; "> " behind one goes on with it, as a shell asks
// for it. All other lines are output that must come, in this order, where "…" stands for
// anything in a line; what comes beside it is passed over. A change of folder and exported variables hold for the commands behind it, as in a shell. Ports
// of this machine are free ones in place of the document's.
//
// A command that ends with " &" goes on, and the next one is run when its output has come;
// "kill %N" ends the Nth of these. So does the last command of a block that has a terminal of
// its own, until the next block for that terminal: the reader types Ctrl-C first.
//
//	```console terminal="1"
//	$ ingot run --port 9443
//	Ready after … ms
//	```
//
// A block whose info string has norun="REASON" is not run, and the reader is told why:
//
//	```console norun="needs a board"
//
// A block of another language with file="NAME" is put into that file, where it stands:
//
//	```go file="main.go"
package transcript
