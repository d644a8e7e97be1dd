// Empty: functions of other packages are declared here without a body.
