package kernel

// errno is a system call's result: a Linux error number, negated.
type errno = int32

const (
	EPERM     errno = -1
	ENOENT    errno = -2
	ESRCH     errno = -3
	EINTR     errno = -4
	EBADF     errno = -9
	EAGAIN    errno = -11
	ENOMEM    errno = -12
	EACCES    errno = -13
	EFAULT    errno = -14
	EBUSY     errno = -16
	EEXIST    errno = -17
	EINVAL    errno = -22
	EMFILE    errno = -24
	ENOTTY    errno = -25
	ENOSPC    errno = -28
	EPIPE     errno = -32
	ERANGE    errno = -34
	ENOSYS    errno = -38
	ETIMEDOUT errno = -110
)

// result is an error as the register has it.
func result(e errno) uint32 { return uint32(e) }
