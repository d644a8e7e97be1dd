package server

import (
	"slices"
	"strconv"
)

// Code is an error number of the reference; 0 is success. Below 270 are the
// server's own, below 300 TLS's, and above 10000 those that Windows' sockets have.
type Code int

// The numbers. Some are here so that their texts are known, and nothing raises them:
// a server connects to no RemoteHost, and has no NFS, quotas or WINSOCK.DLL.
const (
	CodeOK Code = 0

	CodeRemotePort          Code = 100
	CodeRemoteHost          Code = 101
	CodeRemoteHostInvalid   Code = 102
	CodeAlreadyListening    Code = 104
	CodeLocalPort           Code = 106
	CodeLocalHost           Code = 107
	CodeMaxConnections      Code = 108
	CodeMaxLineLength       Code = 112
	CodeRemotePortZero      Code = 116
	CodeInvalidConnectionID Code = 126
	CodeWouldBlock          Code = 135

	CodeSecurityLibrary     Code = 270
	CodeCertificateStore    Code = 271
	CodeCertificateNotFound Code = 272
	CodeCredentials         Code = 273
	CodeChainNotFound       Code = 274
	CodeChainInvalid        Code = 275
	CodeHandshake           Code = 276
	CodeVerify              Code = 280
	CodeNoClientCertificate Code = 281
	CodeNoServerCertificate Code = 282
	CodeEncrypt             Code = 283
	CodeDecrypt             Code = 284

	CodeInterrupted                Code = 10004
	CodeBadFile                    Code = 10009
	CodeAccessDenied               Code = 10013
	CodeBadAddress                 Code = 10014
	CodeInvalidArgument            Code = 10022
	CodeTooManyFiles               Code = 10024
	CodeSocketWouldBlock           Code = 10035
	CodeInProgress                 Code = 10036
	CodeAlreadyInProgress          Code = 10037
	CodeNotSocket                  Code = 10038
	CodeDestinationRequired        Code = 10039
	CodeMessageTooLong             Code = 10040
	CodeWrongProtocolType          Code = 10041
	CodeBadProtocolOption          Code = 10042
	CodeProtocolNotSupported       Code = 10043
	CodeSocketTypeNotSupported     Code = 10044
	CodeNotSupported               Code = 10045
	CodeProtocolFamilyNotSupported Code = 10046
	CodeAddressFamilyNotSupported  Code = 10047
	CodeAddressInUse               Code = 10048
	CodeAddressNotAvailable        Code = 10049
	CodeNetworkDown                Code = 10050
	CodeNetworkUnreachable         Code = 10051
	CodeNetworkReset               Code = 10052
	CodeAborted                    Code = 10053
	CodeReset                      Code = 10054
	CodeNoBufferSpace              Code = 10055
	CodeAlreadyConnected           Code = 10056
	CodeNotConnected               Code = 10057
	CodeShutdown                   Code = 10058
	CodeTooManyReferences          Code = 10059
	CodeTimedOut                   Code = 10060
	CodeRefused                    Code = 10061
	CodeTooManyLinks               Code = 10062
	CodeNameTooLong                Code = 10063
	CodeHostDown                   Code = 10064
	CodeHostUnreachable            Code = 10065
	CodeNotEmpty                   Code = 10066
	CodeTooManyProcesses           Code = 10067
	CodeTooManyUsers               Code = 10068
	CodeQuotaExceeded              Code = 10069
	CodeStale                      Code = 10070
	CodeRemote                     Code = 10071
	CodeNetworkUnavailable         Code = 10091
	CodeWinsockVersion             Code = 10092
	CodeWinsockNotLoaded           Code = 10093

	CodeHostNotFound         Code = 11001
	CodeHostNotFoundTryAgain Code = 11002
	CodeNameServerFailure    Code = 11003
	CodeNoAddress            Code = 11004
)

// codeTexts has the reference's texts, by number.
var codeTexts = []codeText{
	{CodeOK, "OK"},
	{CodeRemotePort, "You cannot change the RemotePort at this time. A connection is in progress."},
	{CodeRemoteHost, "You cannot change the RemoteHost at this time. A connection is in progress."},
	{CodeRemoteHostInvalid, "The RemoteHost address is invalid (0.0.0.0)."},
	{CodeAlreadyListening, "TCPServer is already listening."},
	{CodeLocalPort, "Cannot change LocalPort when TCPServer is listening."},
	{CodeLocalHost, "Cannot change LocalHost when TCPServer is listening."},
	{CodeMaxConnections, "Cannot change MaxConnections when TCPServer is listening."},
	{CodeMaxLineLength, "You cannot change MaxLineLength at this time. A connection is in progress."},
	{CodeRemotePortZero, "RemotePort cannot be zero. Please specify a valid service port number."},
	{CodeInvalidConnectionID, "Invalid ConnectionId."},
	{CodeWouldBlock, "Operation would block."},
	{CodeSecurityLibrary, "Cannot load specified security library."},
	{CodeCertificateStore, "Cannot open certificate store."},
	{CodeCertificateNotFound, "Cannot find specified certificate."},
	{CodeCredentials, "Cannot acquire security credentials."},
	{CodeChainNotFound, "Cannot find certificate chain."},
	{CodeChainInvalid, "Cannot verify certificate chain."},
	{CodeHandshake, "Error during handshake."},
	{CodeVerify, "Error verifying certificate."},
	{CodeNoClientCertificate, "Could not find client certificate."},
	{CodeNoServerCertificate, "Could not find server certificate."},
	{CodeEncrypt, "Error encrypting data."},
	{CodeDecrypt, "Error decrypting data."},
	{CodeInterrupted, "[10004] Interrupted system call."},
	{CodeBadFile, "[10009] Bad file number."},
	{CodeAccessDenied, "[10013] Access denied."},
	{CodeBadAddress, "[10014] Bad address."},
	{CodeInvalidArgument, "[10022] Invalid argument."},
	{CodeTooManyFiles, "[10024] Too many open files."},
	{CodeSocketWouldBlock, "[10035] Operation would block."},
	{CodeInProgress, "[10036] Operation now in progress."},
	{CodeAlreadyInProgress, "[10037] Operation already in progress."},
	{CodeNotSocket, "[10038] Socket operation on nonsocket."},
	{CodeDestinationRequired, "[10039] Destination address required."},
	{CodeMessageTooLong, "[10040] Message is too long."},
	{CodeWrongProtocolType, "[10041] Protocol wrong type for socket."},
	{CodeBadProtocolOption, "[10042] Bad protocol option."},
	{CodeProtocolNotSupported, "[10043] Protocol is not supported."},
	{CodeSocketTypeNotSupported, "[10044] Socket type is not supported."},
	{CodeNotSupported, "[10045] Operation is not supported on socket."},
	{CodeProtocolFamilyNotSupported, "[10046] Protocol family is not supported."},
	{CodeAddressFamilyNotSupported, "[10047] Address family is not supported by protocol family."},
	{CodeAddressInUse, "[10048] Address already in use."},
	{CodeAddressNotAvailable, "[10049] Cannot assign requested address."},
	{CodeNetworkDown, "[10050] Network is down."},
	{CodeNetworkUnreachable, "[10051] Network is unreachable."},
	{CodeNetworkReset, "[10052] Net dropped connection or reset."},
	{CodeAborted, "[10053] Software caused connection abort."},
	{CodeReset, "[10054] Connection reset by peer."},
	{CodeNoBufferSpace, "[10055] No buffer space available."},
	{CodeAlreadyConnected, "[10056] Socket is already connected."},
	{CodeNotConnected, "[10057] Socket is not connected."},
	{CodeShutdown, "[10058] Cannot send after socket shutdown."},
	{CodeTooManyReferences, "[10059] Too many references, cannot splice."},
	{CodeTimedOut, "[10060] Connection timed out."},
	{CodeRefused, "[10061] Connection refused."},
	{CodeTooManyLinks, "[10062] Too many levels of symbolic links."},
	{CodeNameTooLong, "[10063] File name is too long."},
	{CodeHostDown, "[10064] Host is down."},
	{CodeHostUnreachable, "[10065] No route to host."},
	{CodeNotEmpty, "[10066] Directory is not empty"},
	{CodeTooManyProcesses, "[10067] Too many processes."},
	{CodeTooManyUsers, "[10068] Too many users."},
	{CodeQuotaExceeded, "[10069] Disc Quota Exceeded."},
	{CodeStale, "[10070] Stale NFS file handle."},
	{CodeRemote, "[10071] Too many levels of remote in path."},
	{CodeNetworkUnavailable, "[10091] Network subsystem is unavailable."},
	{CodeWinsockVersion, "[10092] WINSOCK DLL Version out of range."},
	{CodeWinsockNotLoaded, "[10093] Winsock is not loaded yet."},
	{CodeHostNotFound, "[11001] Host not found."},
	{CodeHostNotFoundTryAgain, "[11002] Nonauthoritative 'Host not found' (try again or check DNS setup)."},
	{CodeNameServerFailure, "[11003] Nonrecoverable errors: FORMERR, REFUSED, NOTIMP."},
	{CodeNoAddress, "[11004] Valid name, no data record (check DNS setup)."},
}

type codeText struct {
	code Code
	text string
}

// Codes returns all numbers, in order, without 0.
func Codes() []Code {
	var codes []Code
	for _, c := range codeTexts[1:] {
		codes = append(codes, c.code)
	}
	return codes
}

// String returns the reference's text for the number, such as
// "[10054] Connection reset by peer.".
func (c Code) String() string {
	i, ok := slices.BinarySearchFunc(codeTexts, c, func(e codeText, c Code) int { return int(e.code - c) })
	if !ok {
		return "[" + strconv.Itoa(int(c)) + "] Unknown error."
	}
	return codeTexts[i].text
}
