module peer-go-same-design

go 1.19
