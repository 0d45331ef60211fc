"""What names and functions give, against slow programs written from the words of docs/ and not from the code."""
