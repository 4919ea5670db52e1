module filch/rivals

go 1.19
